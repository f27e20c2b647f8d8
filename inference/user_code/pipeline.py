"""A user's functions in a row: body -> input_fn -> predict_fn -> output_fn, or transform_fn alone.

Plain functions run on the model's one thread, those that follow each other in one go; async ones run on the loop, where
many requests can be in them at a time.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from time import perf_counter
from typing import Any

from inference.metrics import BATCH, DECODE, ENCODE, MODEL, QUEUE, Metrics
from inference.user_code.batch import RequestBatcher
from inference.user_code.functions import Call, Function

Arguments = Callable[[Call, Any], tuple[Any, ...]]
"""(the request, what the function before it gave) -> its arguments."""
Stage = Callable[[Call, Any], Awaitable[Any]]
PHASES = {
    "input_fn": DECODE,
    "predict_fn": MODEL,
    "predict_batch_fn": MODEL,
    "transform_fn": MODEL,
    "output_fn": ENCODE,
}


class Pipeline:
    """A model and its functions; lives on one event loop."""

    def __init__(
        self, functions: Mapping[str, Function], model: Any, thread: Executor, max_batch: int, metrics: Metrics
    ) -> None:
        """`functions` has transform_fn, or input_fn, output_fn and predict_fn or predict_batch_fn."""
        self._thread, self._model, self._metrics = thread, model, metrics
        self._batcher: RequestBatcher | None = None
        self._decoding = 0  # requests in input_fn, or before it
        if "transform_fn" in functions:
            self._stages = self._row((functions["transform_fn"], self._for_transform))
            return
        first, last = (functions["input_fn"], _for_input), (functions["output_fn"], _for_output)
        if "predict_batch_fn" in functions:
            self._batcher = RequestBatcher(
                functions["predict_batch_fn"], model, thread, max_batch, metrics, lambda: self._decoding > 0
            )
            self._stages = [self._counted(*self._row(first)), self._batcher.predict, *self._row(last)]
        else:
            self._stages = self._row(first, (functions["predict_fn"], self._for_predict), last)

    async def run(self, call: Call) -> Any:
        """What the last function returns; raises FunctionError, caused by a RequestError where a default refuses."""
        started = perf_counter()
        value: Any = call.body
        for stage in self._stages:
            value = await stage(call, value)
        self._observe(call, perf_counter() - started)
        return value

    def close(self) -> None:
        """Nothing may be run after; a function that runs on the thread runs to its end."""
        if self._batcher is not None:
            self._batcher.close()

    def _row(self, *steps: tuple[Function, Arguments]) -> list[Stage]:
        """The stages of functions that follow each other."""
        groups = [list(group) for _, group in itertools.groupby(steps, key=lambda step: step[0].is_async)]
        stages: list[Stage] = []
        for group in groups:
            stages += [_on_loop(*step) for step in group] if group[0][0].is_async else [self._on_thread(group)]
        return stages

    def _on_thread(self, steps: list[tuple[Function, Arguments]]) -> Stage:
        def work(call: Call, value: Any) -> Any:
            for function, arguments in steps:
                started = perf_counter()
                value = function(call.context, *arguments(call, value))
                call.spend(function, perf_counter() - started)
            return value

        async def stage(call: Call, value: Any) -> Any:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, call, value)

        return stage

    def _counted(self, decode: Stage) -> Stage:
        async def stage(call: Call, value: Any) -> Any:
            self._decoding += 1
            try:
                return await decode(call, value)
            finally:
                self._decoding -= 1

        return stage

    def _observe(self, call: Call, seconds: float) -> None:
        """Count where an answered request's time went; what is no function's was spent waiting."""
        for name, spent in call.seconds.items():
            self._metrics.observe(PHASES[name], spent)
        self._metrics.observe(QUEUE, max(0.0, seconds - sum(call.seconds.values())))
        if self._batcher is None:
            self._metrics.observe(BATCH, 1)

    def _for_predict(self, call: Call, data: Any) -> tuple[Any, ...]:
        return data, self._model

    def _for_transform(self, call: Call, body: Any) -> tuple[Any, ...]:
        return self._model, body, call.content_type, call.accept


def _on_loop(function: Function, arguments: Arguments) -> Stage:
    async def stage(call: Call, value: Any) -> Any:
        started = perf_counter()
        value = await function.wait(call.context, *arguments(call, value))
        call.spend(function, perf_counter() - started)
        return value

    return stage


def _for_input(call: Call, body: Any) -> tuple[Any, ...]:
    return body, call.content_type


def _for_output(call: Call, prediction: Any) -> tuple[Any, ...]:
    return prediction, call.accept
