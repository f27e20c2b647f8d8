"""Metric math: arithmetic, comparisons, AND/OR, IF, FILL, and the plain aggregates, on series of datapoints.

A series is {begin of the period: value}; an operation has a value only where all its operands have one, and a
division by zero has none, as in CloudWatch.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from localaws.errors import AwsError

Series = dict[float, float]
Value = float | Series


def _invalid(expression: str, why: str) -> AwsError:
    return AwsError("ValidationError", f"Error in expression '{expression}': {why}")


_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.BitXor: operator.pow,  # CloudWatch writes a power as ^
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
FUNCTIONS = ("ABS", "CEIL", "FLOOR", "FILL", "IF", *_AGGREGATES)
_ROUNDINGS: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(-(-value // 1)),
    "FLOOR": lambda value: float(value // 1),
}


def parse(expression: str) -> ast.expr:
    """The expression's tree. Raises AwsError ValidationError."""
    words = re.sub(r"\bAND\b|&&", " and ", re.sub(r"\bOR\b|\|\|", " or ", expression))
    try:
        tree = ast.parse(words.strip(), mode="eval").body
    except SyntaxError as error:
        raise _invalid(expression, f"{error.msg} at {error.offset}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            raise _invalid(expression, f"the functions that are emulated are {', '.join(FUNCTIONS)}")
        if not isinstance(node, _ALLOWED):
            raise _invalid(expression, f"{ast.unparse(node) if isinstance(node, ast.expr) else node} is not supported")
    return tree


_ALLOWED = (
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.List, ast.Load),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)


def names(expression: str) -> set[str]:
    """The ids that the expression uses."""
    called = {"REPEAT", "LINEAR", *FUNCTIONS}
    return {node.id for node in ast.walk(parse(expression)) if isinstance(node, ast.Name)} - called


def evaluate(expression: str, series: Mapping[str, Series], timeline: Sequence[float]) -> Series:
    """The expression's series on the timeline (begins of periods). Raises AwsError ValidationError."""
    value = _Evaluation(expression, series, timeline).value(parse(expression))
    return value if isinstance(value, dict) else dict.fromkeys(timeline, value)


class _Evaluation:
    def __init__(self, expression: str, series: Mapping[str, Series], timeline: Sequence[float]) -> None:
        self._expression, self._series, self._timeline = expression, series, timeline

    def value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in self._series:
            return self._series[node.id]
        if isinstance(node, ast.BinOp):
            return self._together(_OPERATORS[type(node.op)], self.value(node.left), self.value(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._together(operator.mul, -1.0, self.value(node.operand))
        if isinstance(node, ast.BoolOp):
            return self._logical(node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
            compare = _OPERATORS[type(node.ops[0])]
            return self._together(compare, self.value(node.left), self.value(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node.args)
        raise _invalid(self._expression, f"{ast.unparse(node)} is not known; known: {', '.join(self._series)}")

    def _logical(self, node: ast.BoolOp) -> Value:
        every = isinstance(node.op, ast.And)
        found = self.value(node.values[0])
        for operand in node.values[1:]:
            found = self._together(
                lambda one, two: float(bool(one and two) if every else bool(one or two)), found, self.value(operand)
            )
        return found

    def _together(self, work: Callable[[float, float], Any], one: Value, two: Value) -> Value:
        if isinstance(one, float) and isinstance(two, float):
            try:
                return float(work(one, two))
            except ZeroDivisionError as error:
                raise _invalid(self._expression, "division by zero") from error
        found: Series = {}
        for at in self._timeline:
            left, right = _at(one, at), _at(two, at)
            if left is not None and right is not None:
                try:
                    found[at] = float(work(left, right))
                except (ZeroDivisionError, OverflowError):
                    continue  # CloudWatch has no datapoint there
        return found

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> Value:
        if name == "FILL" and len(arguments) == 2:
            return self._fill(arguments[0], arguments[1])
        if name == "IF" and len(arguments) in (2, 3):
            return self._choose(*[self.value(argument) for argument in arguments])
        if name in _ROUNDINGS and len(arguments) == 1:
            value, work = self.value(arguments[0]), _ROUNDINGS[name]
            return work(value) if isinstance(value, float) else {at: work(item) for at, item in value.items()}
        if name in _AGGREGATES and len(arguments) == 1:
            return self._aggregate(_AGGREGATES[name], arguments[0])
        raise _invalid(self._expression, f"wrong number of arguments for {name}")

    def _fill(self, filled: ast.expr, by: ast.expr) -> Value:
        value = self.value(filled)
        if isinstance(value, float):
            return value
        if isinstance(by, ast.Name) and by.id == "REPEAT":
            found, last = {}, None
            for at in self._timeline:
                last = value.get(at, last)
                if last is not None:
                    found[at] = last
            return found
        other = self.value(by)
        both = {at: value.get(at, _at(other, at)) for at in self._timeline}
        return {at: item for at, item in both.items() if item is not None}

    def _choose(self, condition: Value, then: Value, otherwise: Value | None = None) -> Value:
        found: Series = {}
        for at in self._timeline:
            test = _at(condition, at)
            if test is not None:
                chosen = then if test else otherwise
                value = None if chosen is None else _at(chosen, at)
                if value is not None:
                    found[at] = value
        return found

    def _aggregate(self, work: Callable[[Sequence[float]], float], argument: ast.expr) -> Value:
        """Over a list: value by value. Over one series: its one number."""
        if not isinstance(argument, ast.List):
            value = self.value(argument)
            numbers = [value] if isinstance(value, float) else list(value.values())
            return float(work(numbers)) if numbers else {}
        values = [self.value(item) for item in argument.elts]
        found: Series = {}
        for at in self._timeline:
            present = [item for value in values if (item := _at(value, at)) is not None]
            if present:
                found[at] = float(work(present))
        return found


def _at(value: Value, at: float) -> float | None:
    return value if isinstance(value, float) else value.get(at)
