"""Every network of ours on every shape it takes: it learns, and its served programs are the trained model itself."""

import dataclasses

import pytest
import torch
from torch import nn

from tests.unit.training.made_up import VOCABULARY, config, image_data, networks
from training.data.types import DataSet
from training.errors import ConfigError
from training.models import ModelSpec, get
from training.options import ModelOptions
from training.tasks import Task, create_preprocess, create_task, measure, model_spec, quality_inputs

STEPS = 12
CPU = torch.device("cpu")
CASES = [pytest.param(*case, id=f"{case[0]}-{case[1].task}-{case[1].input.shape}") for case in networks()]
# One shape of each is enough to export: the graphs differ in sizes alone.
EXPORTED = [
    case
    for case in CASES
    if case.values[1].input.shape not in ((28, 28), (100, 100, 3)) or "generation" in case.values[1].task
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Of work this small, threads only wait for each other; tests/unit/training/conftest.py gives them back."""
    torch.set_num_threads(1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Built:
    data: DataSet
    task: Task
    preprocess: nn.Module
    model: nn.Module
    programs: dict[str, nn.Module]


def _built(name: str, data: DataSet) -> Built:
    settings = config(name)
    statistics = measure(data, class_counts=False)
    preprocess = create_preprocess(data.input, statistics)
    torch.manual_seed(0)
    model = get(name).build(model_spec(data, preprocess, settings.model))
    task = create_task(data, statistics, settings.optimizer, CPU)
    return Built(data=data, task=task, preprocess=preprocess, model=model, programs=task.programs(preprocess, model))


@pytest.mark.parametrize(("name", "data"), CASES)
def test_it_learns(name: str, data: DataSet) -> None:
    built = _built(name, data)
    window = data.train.plan(None)[0]
    rows, targets = window.read()
    inputs = built.preprocess(rows)
    assert inputs.shape[1:] == built.preprocess.shape
    optimizer_state = [torch.zeros_like(p) for p in built.model.parameters()]
    losses = []
    for _ in range(STEPS):
        loss = built.task.loss(built.model(inputs), inputs, targets)
        gradients = torch.autograd.grad(loss, list(built.model.parameters()))
        with torch.no_grad():
            for weights, gradient, scale in zip(built.model.parameters(), gradients, optimizer_state, strict=True):
                scale.mul_(0.9).add_(gradient.square(), alpha=0.1)  # RMSprop, which suits all of them
                weights.sub_(0.01 * gradient / (scale.sqrt() + 1e-8))
        losses.append(loss.item())
    assert all(loss == loss and abs(loss) < 1e6 for loss in losses)
    assert sum(losses[-3:]) < sum(losses[:3])


# nn.LSTM lists its weights anew while it is traced; the program is right, as the test shows.
@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")
@pytest.mark.parametrize(("name", "data"), EXPORTED)
def test_the_exported_programs_answer_as_the_evaluated_model_for_any_batch(name: str, data: DataSet) -> None:
    built = _built(name, data)
    judged, _ = quality_inputs(built.task, built.programs, data.test, CPU)
    rows = data.test.plan(None)[0].read()[0]
    inputs = rows.to(torch.int64 if data.input.kind == "text" else torch.float32)
    with torch.no_grad():
        outputs = built.task.outputs(built.model(built.preprocess(rows)))
        first = "encode" if "encode" in built.programs else "predict"
        exported = _exported(built.programs[first], inputs)
        for count in (1, 3, len(rows)):
            assert torch.allclose(exported(inputs[:count]), outputs[:count], rtol=1e-5, atol=1e-6)
        if first == "predict":
            assert torch.equal(torch.from_numpy(judged), outputs)
        else:
            images = _exported(built.programs["decode"], outputs)(outputs)
            assert images.shape == rows.shape
            errors = ((images - rows) / 255).square().flatten(1).mean(1)
            assert torch.allclose(torch.from_numpy(judged), errors, rtol=1e-4)


def _exported(module: nn.Module, example: torch.Tensor) -> nn.Module:
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    module_: nn.Module = torch.export.export(module, (example[:2],), dynamic_shapes=shapes).module()
    return module_


def test_sizes_are_those_that_are_documented() -> None:
    def parameters(name: str, shape: tuple[int, ...], outputs: int, vocabulary: int = 0) -> int:
        spec = ModelSpec(task="", shape=shape, outputs=outputs, vocabulary=vocabulary, options=config_of(name))
        return sum(p.numel() for p in get(name).build(spec).parameters())

    def config_of(name: str) -> ModelOptions:
        own = {key: value for key, value in get(name).defaults.items() if key in ModelOptions.__dataclass_fields__}
        return ModelOptions(model=name, **own)

    assert parameters("resnet9", (3, 32, 32), 10) == 6_573_130
    assert parameters("cnn", (1, 8, 8), 10) == 24 * 9 + 24 * 24 * 9 + 24 * 48 * 9 + 2 * (24 + 24 + 48) + 192 * 10 + 10
    assert parameters("tabular_mlp", (30,), 2) == 6_274


@pytest.mark.parametrize("name", ["fasttext", "lstm", "transformer"])
def test_padding_changes_nothing_and_an_empty_text_is_no_exception(name: str) -> None:
    options = config(name).model
    short, long = (
        ModelSpec(task="text-classification", shape=(size,), outputs=3, vocabulary=VOCABULARY, options=options)
        for size in (4, 9)
    )
    torch.manual_seed(0)
    model = get(name).build(long).eval()
    cut = get(name).build(short).eval()
    weights = model.state_dict()
    cut.load_state_dict({key: value[:4] if key == "places" else value for key, value in weights.items()})
    texts = torch.tensor([[5, 6, 7, 0], [3, 0, 0, 0], [0, 0, 0, 0]])
    padded = torch.cat([texts, torch.zeros(3, 5, dtype=torch.int64)], dim=1)
    assert torch.allclose(cut(texts), model(padded), atol=1e-6)
    assert model(padded).isfinite().all()


def test_a_model_that_does_not_fit_says_what_does() -> None:
    data = image_data((6, 6))
    for name, values, wanted in (
        ("cnn", {"depth": 3}, "takes 8x8 or more: lower depth, or set image_size=8"),
        ("resnet9", {}, "takes 8x8 or more"),
    ):
        preprocess = create_preprocess(data.input, measure(data, class_counts=False))
        with pytest.raises(ConfigError, match=wanted):
            get(name).build(model_spec(data, preprocess, config(name, **values).model))
    spec = ModelSpec(task="", shape=(4,), outputs=2, vocabulary=9, options=ModelOptions(width=10, heads=4))
    with pytest.raises(ConfigError, match="heads: 4 does not divide width 10; use heads=5"):
        get("transformer").build(spec)
