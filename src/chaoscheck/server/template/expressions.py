"""Expressions of a template: a function for each node of Jinja2's syntax tree, made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from jinja2 import nodes

from chaoscheck.server.template.budget import Budget
from chaoscheck.server.template.functions import (
    FILTERS,
    FUNCTIONS,
    MAPPING_METHODS,
    TESTS,
    TEXT_METHODS,
)
from chaoscheck.server.template.values import (
    Applied,
    attribute_of,
    combined,
    compared,
    number_within_bounds,
    require_key,
    shown,
    text_of,
)
from chaoscheck.suggestions import unknown_name

__all__ = ["Expressions", "Run", "TemplateSyntax", "Unknown", "Value"]

DEPTH_MAX = 60  # parts within parts; each takes three frames of Python's stack

_NAMES_PER_UNIT = 16
_OPERATORS: dict[type[nodes.BinExpr], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
}
# These look at a name that may be unknown.
_DEFAULTS = ("default", "d")
_DEFINED = ("defined", "undefined")


class TemplateSyntax(Exception):
    """A template that cannot be read; the message names the line."""


class Unknown(LookupError):
    """A name that is not known when it is looked up."""


class _Said(Protocol):
    length: int
    parts: list[str]

    def add(self, text: str) -> None: ...


class Run:
    """One rendering: its names as they stand, its budget, and what is said so far."""

    __slots__ = ("budget", "names", "out")

    def __init__(self, names: dict[str, Any], budget: Budget, out: _Said) -> None:
        self.names = names
        self.budget = budget
        self.out = out

    def inside(self, out: _Said | None = None) -> Run:
        """The run inside of a block: what is set there is forgotten behind it."""
        self.budget.spend(1 + len(self.names) // _NAMES_PER_UNIT)
        return Run(dict(self.names), self.budget, self.out if out is None else out)

    def value_of(self, name: str) -> Any:
        """The value of a name; Unknown if it has none."""
        try:
            return self.names[name]
        except KeyError:
            raise Unknown(f"{name[:40]!r} is undefined") from None


Value = Callable[[Run], Any]


class Expressions:
    """Makes the functions of expressions; TemplateSyntax for what is not known."""

    def __init__(self) -> None:
        self._depth = 0
        self._makers: dict[type[nodes.Expr], Callable[[Any], Value]] = {
            nodes.Const: self._const,
            nodes.TemplateData: lambda node: lambda run: node.data,
            nodes.Name: self._name,
            nodes.Getattr: self._getattr,
            nodes.Getitem: self._getitem,
            nodes.Filter: self._filter,
            nodes.Test: self._test,
            nodes.Call: self._call,
            nodes.Compare: self._compare,
            nodes.And: lambda node: self._either(node, until=False),
            nodes.Or: lambda node: self._either(node, until=True),
            nodes.Not: lambda node: self._unary(node, lambda value: not value),
            nodes.Neg: lambda node: self._unary(node, lambda value: -_number(value)),
            nodes.Pos: lambda node: self._unary(node, _number),
            nodes.CondExpr: self._conditional,
            nodes.Concat: self._concat,
            nodes.List: lambda node: self._series(node, list),
            nodes.Tuple: lambda node: self._series(node, tuple),
            nodes.Dict: self._dict,
            **dict.fromkeys(_OPERATORS, self._binary),
        }

    def __call__(self, node: nodes.Node) -> Value:
        """The function of an expression."""
        make = self._makers.get(type(node))  # type: ignore[arg-type]
        if make is None:
            what = type(node).__name__.lower()
            raise TemplateSyntax(f"line {node.lineno}: {what} is not known in a reply's template")
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise TemplateSyntax(
                f"line {node.lineno}: an expression is nested deeper than {DEPTH_MAX}"
            )
        made = make(node)
        self._depth -= 1
        return made

    def filtered(self, node: nodes.Filter, value: Value) -> Value:
        """The function of a filter that is applied to ``value``."""
        if node.name in _DEFAULTS:
            return self._default(node, value)
        apply = _known("filter", FILTERS, node)
        return self._applied(apply, value, node)

    def _const(self, node: nodes.Const) -> Value:
        value = node.value
        try:
            number_within_bounds(value)
        except (OverflowError, TypeError) as error:
            raise TemplateSyntax(f"line {node.lineno}: {error}") from None
        return lambda run: value

    def _name(self, node: nodes.Name) -> Value:
        name = node.name
        return lambda run: run.value_of(name)

    def _getattr(self, node: nodes.Getattr) -> Value:
        value, name = self(node.node), node.attr

        def get(run: Run) -> Any:
            run.budget.spend()
            try:
                return attribute_of(value(run), name)
            except Unknown:
                raise
            except LookupError:
                raise Unknown(f"{_path(node)!r} is undefined") from None

        return get

    def _getitem(self, node: nodes.Getitem) -> Value:
        if isinstance(node.arg, nodes.Slice):
            return self._slice(node, node.arg)
        value, key = self(node.node), self(node.arg)

        def get(run: Run) -> Any:
            run.budget.spend()
            whole, at = value(run), key(run)
            try:
                if isinstance(whole, str | list | tuple | range):
                    return whole[at]
                return attribute_of(whole, at)
            except (KeyError, IndexError):
                raise Unknown(f"it has no element {shown(at)}") from None

        return get

    def _slice(self, node: nodes.Getitem, part: nodes.Slice) -> Value:
        value = self(node.node)
        bounds = [
            None if each is None else self(each) for each in (part.start, part.stop, part.step)
        ]

        def get(run: Run) -> Any:
            whole = value(run)
            if not isinstance(whole, str | list | tuple | range):
                raise TypeError(f"{type(whole).__name__} has no slices")
            wanted = slice(*[None if each is None else each(run) for each in bounds])
            length = len(range(*wanted.indices(len(whole))))
            if isinstance(whole, str):
                run.budget.make_text(length)
            else:
                run.budget.make_items(length)
            return whole[wanted]

        return get

    def _filter(self, node: nodes.Filter) -> Value:
        if node.node is None:
            raise TemplateSyntax(f"line {node.lineno}: a filter needs a value")
        return self.filtered(node, self(node.node))

    def _default(self, node: nodes.Filter, value: Value) -> Value:
        arguments = [self(each) for each in (*node.args, *[pair.value for pair in node.kwargs])]
        otherwise = arguments[0] if arguments else lambda run: ""
        also_if_false = arguments[1] if len(arguments) > 1 else lambda run: False

        def get(run: Run) -> Any:
            run.budget.spend()
            try:
                found = value(run)
            except Unknown:
                return otherwise(run)
            return otherwise(run) if not found and also_if_false(run) else found

        return get

    def _test(self, node: nodes.Test) -> Value:
        value = self(node.node)
        if node.name in _DEFINED:
            wanted = node.name == "defined"
            return lambda run: _is_known(run, value) == wanted
        return self._applied(_known("test", TESTS, node), value, node)

    def _applied(self, apply: Applied, value: Value, node: Any) -> Value:
        """``apply`` called with the value and the arguments that the node has."""
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateSyntax(f"line {node.lineno}: arguments cannot be unpacked")
        arguments = [self(each) for each in node.args]
        named = [(pair.key, self(pair.value)) for pair in node.kwargs]
        cost = 1 + len(arguments) + len(named)

        def get(run: Run) -> Any:
            run.budget.spend(cost)
            given = [each(run) for each in arguments]
            return apply(run.budget, value(run), *given, **{name: it(run) for name, it in named})

        return get

    def _call(self, node: nodes.Call) -> Value:
        called = node.node
        if isinstance(called, nodes.Getattr):
            return self._applied(_Method(called.attr), self(called.node), node)
        if not isinstance(called, nodes.Name) or called.name not in FUNCTIONS:
            name = called.name if isinstance(called, nodes.Name) else "this"
            raise TemplateSyntax(f"line {node.lineno}: {name[:40]!r} is undefined as a function")
        function = FUNCTIONS[called.name]
        return self._applied(
            lambda budget, _, *given, **named: function(budget, *given, **named),
            lambda run: None,
            node,
        )

    def _compare(self, node: nodes.Compare) -> Value:
        first = self(node.expr)
        others = [(each.op, self(each.expr)) for each in node.ops]

        def get(run: Run) -> bool:
            left = first(run)
            for name, value in others:
                run.budget.spend()
                right = value(run)
                if not compared(run.budget, name, left, right):
                    return False
                left = right
            return True

        return get

    def _either(self, node: nodes.BinExpr, *, until: bool) -> Value:
        left, right = self(node.left), self(node.right)

        def get(run: Run) -> Any:
            run.budget.spend()
            found = left(run)
            return found if bool(found) == until else right(run)

        return get

    def _unary(self, node: nodes.UnaryExpr, act: Callable[[Any], Any]) -> Value:
        value = self(node.node)

        def get(run: Run) -> Any:
            run.budget.spend()
            return number_within_bounds(act(value(run)))

        return get

    def _binary(self, node: nodes.BinExpr) -> Value:
        sign = _OPERATORS[type(node)]
        left, right = self(node.left), self(node.right)
        return lambda run: combined(run.budget, sign, left(run), right(run))

    def _conditional(self, node: nodes.CondExpr) -> Value:
        test, good = self(node.test), self(node.expr1)
        other = (lambda run: "") if node.expr2 is None else self(node.expr2)

        def get(run: Run) -> Any:
            run.budget.spend()
            return good(run) if test(run) else other(run)

        return get

    def _concat(self, node: nodes.Concat) -> Value:
        parts = [self(each) for each in node.nodes]

        def get(run: Run) -> str:
            texts = [text_of(run.budget, each(run)) for each in parts]
            run.budget.spend(len(texts))
            run.budget.make_text(sum([len(text) for text in texts]))
            return "".join(texts)

        return get

    def _series(self, node: nodes.List | nodes.Tuple, kind: Callable[[list[Any]], Any]) -> Value:
        parts = [self(each) for each in node.items]

        def get(run: Run) -> Any:
            run.budget.make_items(len(parts))
            return kind([each(run) for each in parts])

        return get

    def _dict(self, node: nodes.Dict) -> Value:
        pairs = [(self(pair.key), self(pair.value)) for pair in node.items]

        def get(run: Run) -> dict[Any, Any]:
            run.budget.make_items(2 * len(pairs))
            made = {}
            for key, value in pairs:
                name = key(run)
                require_key(name)
                made[name] = value(run)
            return made

        return get


class _Method:
    """A method by its name: whose it is shows when it is called."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, budget: Budget, value: Any, *given: Any, **named: Any) -> Any:
        methods: dict[str, Applied] = {}
        if isinstance(value, str):
            methods = TEXT_METHODS
        elif isinstance(value, dict):
            methods = MAPPING_METHODS
        apply = methods.get(self._name)
        if apply is None:
            raise TypeError(
                f"a template's {type(value).__name__} has no method {self._name[:40]!r}"
            )
        return apply(budget, value, *given, **named)


def _known(kind: str, table: dict[str, Applied], node: Any) -> Applied:
    found = table.get(node.name)
    if found is None:
        raise TemplateSyntax(f"line {node.lineno}: {unknown_name(kind, node.name, table)}")
    return found


def _is_known(run: Run, value: Value) -> bool:
    run.budget.spend()
    try:
        value(run)
    except Unknown:
        return False
    return True


def _path(node: nodes.Node) -> str:
    """The name that stands before an attribute, as far as it is one, and the attribute's."""
    if isinstance(node, nodes.Getattr):
        return f"{_path(node.node)}.{node.attr}"[:80]
    return node.name if isinstance(node, nodes.Name) else "…"


def _number(value: Any) -> Any:
    if not isinstance(value, int | float):
        raise TypeError("only a number has a sign")
    return value
