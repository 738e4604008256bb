"""Mutation operators: for a node of a syntax tree, the small mistakes that could stand there.

The set follows the classical operators (relational, arithmetic, logical, constant, statement
deletion) and adds three that matter for these components: a bound that is dropped (``min`` and
``max``), a default that another one replaces, and a caught exception that is caught no more.
Text for readers (docstrings, messages, anything with a space in it) is left alone.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Change", "changes_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """``operator`` names the kind of mistake; ``node`` stands in the place of the original."""

    operator: str
    node: ast.AST


_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
}
_BOUNDS = ("min", "max")


def changes_of(node: ast.AST) -> Iterator[Change]:
    """Every change of ``node`` itself; its children have their own."""
    if isinstance(node, ast.Compare):
        yield from _compare(node)
    elif isinstance(node, ast.BinOp):
        yield from _arithmetic(node)
    elif isinstance(node, ast.BoolOp):
        yield from _logic(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield Change(operator="negation", node=node.operand)
    elif isinstance(node, ast.IfExp):
        arms = ast.IfExp(test=node.test, body=node.orelse, orelse=node.body)
        yield Change(operator="arms", node=arms)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.Call):
        yield from _bound(node)
    elif isinstance(node, ast.stmt):
        yield from _statement(node)
    elif isinstance(node, ast.ExceptHandler):
        yield from _handler(node)


def _compare(node: ast.Compare) -> Iterator[Change]:
    for index, operation in enumerate(node.ops):
        for other in _COMPARISONS.get(type(operation), ()):
            changed = copy.deepcopy(node)
            changed.ops[index] = other()
            yield Change(operator="comparison", node=changed)


def _arithmetic(node: ast.BinOp) -> Iterator[Change]:
    other = _ARITHMETIC.get(type(node.op))
    if (
        other is None
        or isinstance(node.left, ast.JoinedStr)
        or isinstance(node.right, ast.JoinedStr)
    ):
        return
    yield Change(
        operator="arithmetic", node=ast.BinOp(left=node.left, op=other(), right=node.right)
    )


def _logic(node: ast.BoolOp) -> Iterator[Change]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield Change(operator="logic", node=ast.BoolOp(op=other, values=node.values))
    for index in range(len(node.values)):
        rest = [value for place, value in enumerate(node.values) if place != index]
        left = rest[0] if len(rest) == 1 else ast.BoolOp(op=node.op, values=rest)
        yield Change(operator="operand", node=left)


def _constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield Change(operator="constant", node=ast.Constant(not value))
    elif isinstance(value, int | float):
        yield Change(operator="constant", node=ast.Constant(value + 1))
    elif isinstance(value, str) and value and " " not in value:
        yield Change(operator="constant", node=ast.Constant(f"{value}~"))
    elif isinstance(value, bytes) and value:
        yield Change(operator="constant", node=ast.Constant(value + b"~"))


def _bound(node: ast.Call) -> Iterator[Change]:
    named = node.func.id if isinstance(node.func, ast.Name) else ""
    if named in _BOUNDS and len(node.args) > 1 and not node.keywords:
        for kept in node.args:
            yield Change(operator="bound", node=kept)


def _statement(node: ast.stmt) -> Iterator[Change]:
    if isinstance(node, ast.If | ast.While) and not _negated_elsewhere(node.test):
        changed = copy.copy(node)
        changed.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
        yield Change(operator="condition", node=changed)
    elif isinstance(node, ast.Break):
        yield Change(operator="loop", node=ast.Continue())
    elif isinstance(node, ast.Continue):
        yield Change(operator="loop", node=ast.Break())
    elif isinstance(node, ast.Return) and not (
        node.value is None or isinstance(node.value, ast.Constant)
    ):
        yield Change(operator="returned", node=ast.Return(value=ast.Constant(None)))
    elif _may_go(node):
        yield Change(operator="deletion", node=ast.Pass())


def _may_go(node: ast.stmt) -> bool:
    """Whether leaving the statement out is a mistake that the interpreter does not show."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        # A local name that is never bound fails at once wherever it is read.
        return not all(isinstance(target, ast.Name) for target in node.targets)
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return getattr(node.exc.func, "id", "") != "AssertionError"  # an assertion, written out
    return isinstance(node, ast.AugAssign | ast.Delete | ast.Raise)


def _handler(node: ast.ExceptHandler) -> Iterator[Change]:
    if isinstance(node.type, ast.Tuple):
        for index in range(len(node.type.elts)):
            changed = copy.deepcopy(node)
            assert isinstance(changed.type, ast.Tuple)
            del changed.type.elts[index]
            yield Change(operator="caught", node=changed)
    elif not (len(node.body) == 1 and isinstance(node.body[0], ast.Raise)):
        changed = copy.copy(node)
        changed.body = [ast.Raise()]
        yield Change(operator="caught", node=changed)


def _negated_elsewhere(test: ast.expr) -> bool:
    """Whether a change of the test itself is its negation."""
    negation = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return negation or isinstance(test, ast.Compare)
