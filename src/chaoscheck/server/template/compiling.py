"""From a template's text to a function that renders it within a budget.

Theory of operation. Jinja2 parses: its syntax is what users know. What the syntax tree says is
evaluated by functions made here, one for each node, and not by code that Jinja2 generates: Python
code that an expression calls cannot be stopped, and a sandbox sees only some of it.
Each function charges a step for itself and each of its parts, and the tables of ``functions`` are
all that a template can call, so that nothing runs that is not charged. What is not known here
(macros, includes, inheritance) is refused when the template is read, not when it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from jinja2 import nodes

from chaoscheck.server.template.budget import TEXT_LENGTH_MAX, Budget, OverBudget
from chaoscheck.server.template.expressions import Expressions, Run, TemplateSyntax, Unknown
from chaoscheck.server.template.values import Namespace, items_of, text_of

__all__ = ["TemplateFailed", "TemplateSyntax", "compiled"]

Act = Callable[[Run], None]

_WHY_LENGTH_MAX = 200  # characters of what a failure says
# A block that is nested deeper than this could exceed Python's own limit in a deep call stack.
DEPTH_MAX = 40


class TemplateFailed(Exception):
    """A template that was read well cannot be rendered with these values; it says why."""


def compiled(text: str) -> Callable[[Mapping[str, Any]], str]:
    """A function that renders ``text`` with the values of its names; TemplateFailed if it cannot.

    TemplateSyntax, with the line, for what is not Jinja2's syntax or not known here.
    """
    try:
        tree = jinja2.Environment(autoescape=False).parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateSyntax(f"line {error.lineno}: {error.message}") from None
    except (RecursionError, ValueError) as error:
        raise TemplateSyntax(f"it cannot be read: {type(error).__name__}") from None
    act = _Statements().block(tree.body)

    def render(values: Mapping[str, Any]) -> str:
        run = Run(dict(values), Budget(), _Output())
        try:
            act(run)
        except Exception as error:  # whatever an expression raises is the template's failure
            raise TemplateFailed(_why(error)) from None
        return "".join(run.out.parts)

    return render


def _why(error: Exception) -> str:
    if isinstance(error, OverBudget):
        return str(error)
    kind = "UndefinedError" if isinstance(error, Unknown) else type(error).__name__
    return f"{kind}: {error}"[:_WHY_LENGTH_MAX]


class _Output:
    """The text so far."""

    __slots__ = ("length", "parts")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0

    def add(self, text: str) -> None:
        self.length += len(text)
        if self.length > TEXT_LENGTH_MAX:
            raise OverBudget(f"it says more than {TEXT_LENGTH_MAX} characters")
        self.parts.append(text)


class _Statements:
    """Makes the functions of statements."""

    def __init__(self) -> None:
        self._depth = 0
        self._expression = Expressions()
        self._makers: dict[type[nodes.Node], Callable[[Any], Act]] = {
            nodes.Output: self._output,
            nodes.If: self._if,
            nodes.For: self._for,
            nodes.Assign: self._assign,
            nodes.AssignBlock: self._assign_block,
            nodes.With: self._with,
            nodes.FilterBlock: self._filter_block,
            nodes.Scope: self._scope,
        }

    def block(self, body: list[Any]) -> Act:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise TemplateSyntax(f"line {body[0].lineno}: blocks are nested above {DEPTH_MAX}")
        acts = [self._statement(node) for node in body]
        self._depth -= 1

        def act(run: Run) -> None:
            for each in acts:
                each(run)

        return act

    def _statement(self, node: nodes.Node) -> Act:
        make = self._makers.get(type(node))
        if make is None:
            what = type(node).__name__.lower()
            raise TemplateSyntax(f"line {node.lineno}: {what} is not known in a reply's template")
        return make(node)

    def _output(self, node: nodes.Output) -> Act:
        said = [self._said(each) for each in node.nodes]

        def act(run: Run) -> None:
            run.budget.spend(len(said))
            for say in said:
                run.out.add(say(run))

        return act

    def _said(self, node: Any) -> Callable[[Run], str]:
        if isinstance(node, nodes.TemplateData):
            data: str = node.data
            return lambda run: data
        value = self._expression(node)
        return lambda run: text_of(run.budget, value(run))

    def _if(self, node: nodes.If) -> Act:
        cases = [
            (self._expression(case.test), self.block(case.body)) for case in (node, *node.elif_)
        ]
        otherwise = self.block(node.else_)

        def act(run: Run) -> None:
            for test, body in cases:
                run.budget.spend()
                if test(run):
                    body(run)
                    return
            otherwise(run)

        return act

    def _for(self, node: nodes.For) -> Act:
        if node.recursive:
            raise TemplateSyntax(f"line {node.lineno}: a loop cannot be recursive")
        series, assign = self._expression(node.iter), self._target(node.target)
        test = None if node.test is None else self._expression(node.test)
        body, otherwise = self.block(node.body), self.block(node.else_)

        def act(run: Run) -> None:
            inner = run.inside()
            items = items_of(run.budget, series(run))
            if test is not None:
                items = [item for item in items if assign(inner, item) or test(inner)]
            for at, item in enumerate(items):
                inner = run.inside()
                inner.names["loop"] = _loop(items, at)
                assign(inner, item)
                body(inner)
            if not items:
                otherwise(run)

        return act

    def _assign(self, node: nodes.Assign) -> Act:
        assign, value = self._target(node.target), self._expression(node.node)

        def act(run: Run) -> None:
            run.budget.spend()
            assign(run, value(run))

        return act

    def _assign_block(self, node: nodes.AssignBlock) -> Act:
        assign, body = self._target(node.target), self._said_by(node.body, node.filter)
        return lambda run: _nothing(assign(run, body(run)))

    def _filter_block(self, node: nodes.FilterBlock) -> Act:
        body = self._said_by(node.body, node.filter)
        return lambda run: run.out.add(text_of(run.budget, body(run)))

    def _said_by(self, body: list[Any], applied: nodes.Filter | None) -> Callable[[Run], Any]:
        """What a block says, through its filter, if it has one."""
        act = self.block(body)

        def said(run: Run) -> str:
            inner = run.inside(_Output())
            act(inner)
            run.budget.make_text(inner.out.length)
            return "".join(inner.out.parts)

        return said if applied is None else self._expression.filtered(applied, said)

    def _with(self, node: nodes.With) -> Act:
        targets = [self._target(target) for target in node.targets]
        values = [self._expression(value) for value in node.values]
        body = self.block(node.body)

        def act(run: Run) -> None:
            inner = run.inside()
            for assign, value in zip(targets, values, strict=True):
                assign(inner, value(run))
            body(inner)

        return act

    def _scope(self, node: nodes.Scope) -> Act:
        body = self.block(node.body)
        return lambda run: body(run.inside())

    def _target(self, node: nodes.Node) -> Callable[[Run, Any], None]:
        """What binds a value to a name, to several names, or to a name of a namespace."""
        if isinstance(node, nodes.Name):
            return lambda run, value: run.names.__setitem__(node.name, value)
        if isinstance(node, nodes.NSRef):
            return lambda run, value: _set_in_namespace(run, node, value)
        if not isinstance(node, nodes.Tuple):
            raise TemplateSyntax(f"line {node.lineno}: only names can be set")
        parts = [self._target(each) for each in node.items]

        def assign(run: Run, value: Any) -> None:
            items = items_of(run.budget, value)
            if len(items) != len(parts):
                raise ValueError(f"{len(parts)} names and {len(items)} values")
            for part, item in zip(parts, items, strict=True):
                part(run, item)

        return assign


def _nothing(_: None) -> None:
    """A function of an act gives nothing back."""


def _set_in_namespace(run: Run, node: nodes.NSRef, value: Any) -> None:
    space = run.value_of(node.name)
    if not isinstance(space, Namespace):
        raise TypeError(f"{node.name[:40]!r} is no namespace")
    run.budget.spend()
    space.names[node.attr] = value


def _loop(items: list[Any], at: int) -> dict[str, Any]:
    """What ``loop`` knows of the ``at``-th round, counted from 0."""
    count = len(items)
    loop: dict[str, Any] = {
        "index": at + 1,
        "index0": at,
        "revindex": count - at,
        "revindex0": count - at - 1,
        "first": at == 0,
        "last": at == count - 1,
        "length": count,
    }
    if at:
        loop["previtem"] = items[at - 1]
    if at < count - 1:
        loop["nextitem"] = items[at + 1]
    return loop
