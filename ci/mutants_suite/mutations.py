"""The mutants of one module: each a copy of its syntax tree with one change, and a lasting name.

A name holds where the change is (class and function), what it does, the code before and after,
and a number where that is not unique. It knows of no line, so it lasts as its function does.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

from mutation_operators import Change, changes_of

__all__ = ["Mutant", "mutants_of"]

_SHOWN_MAX = 70

# What no law can see: what type checkers and readers need. A name in ``__all__`` is one of them.
_READERS_FIELDS = ("annotation", "returns", "type_params", "bases", "decorator_list")
_READERS_NODES = (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_UNSEEN_CALLS = ("TypeVar", "Protocol", "cast")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """``line`` is where in the present file; ``place`` and ``which`` find the change again.

    ``function`` is the qualified name of the outermost function in whose body the change is, None
    for a change of what runs when the module is imported: constants, defaults, classes.
    ``statement`` is the line at which the statement begins that holds the change.
    """

    module: str
    path: Path
    name: str
    operator: str
    line: int
    statement: int
    function: str | None
    place: int
    which: int

    def code(self) -> CodeType:
        """The whole changed module, compiled."""
        tree = _changed(self.path.read_text(encoding="utf-8"), self.place, self.which)
        code: CodeType = compile(tree, str(self.path), "exec", dont_inherit=True)
        return code


@dataclass(frozen=True, slots=True)
class _Place:
    """A node, the field of its parent that holds it, and the functions around it."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    inside: str
    function: str | None
    statement: int


def mutants_of(module: str, path: Path) -> list[Mutant]:
    """All mutants of the module named ``module`` at ``path``, in the order of the source."""
    source = path.read_text(encoding="utf-8")
    original = ast.parse(source)
    seen: Counter[str] = Counter()
    made: list[Mutant] = []
    for number, place in enumerate(_places(original)):
        for which, change in enumerate(changes_of(place.node)):
            name = _name(place, change)
            seen[name] += 1
            if seen[name] > 1:
                name = f"{name} #{seen[name]}"
            mutant = Mutant(
                module=module,
                path=path,
                name=name,
                operator=change.operator,
                line=getattr(place.node, "lineno", 0),
                statement=place.statement,
                function=place.function,
                place=number,
                which=which,
            )
            made.append(mutant)
    return made


def _changed(source: str, number: int, which: int) -> ast.Module:
    """A fresh tree of ``source`` with change ``which`` at its place ``number``."""
    tree = ast.parse(source)
    place = next(each for at, each in enumerate(_places(tree)) if at == number)
    change = list(changes_of(place.node))[which]
    new = ast.copy_location(change.node, place.node)
    if place.index is None:
        setattr(place.parent, place.field, new)
    else:
        getattr(place.parent, place.field)[place.index] = new
    return ast.fix_missing_locations(tree)


def _places(
    parent: ast.AST, inside: str = "", function: str | None = None, statement: int = 0
) -> Iterator[_Place]:
    """Every node below ``parent`` at which a change would concern what the module does."""
    for field, value in ast.iter_fields(parent):
        nodes = value if isinstance(value, list) else [value]
        for index, node in enumerate(nodes):
            if not isinstance(node, ast.AST) or _unseen(parent, field, node):
                continue
            place = index if isinstance(value, list) else None
            in_body = isinstance(parent, _FUNCTIONS) and field == "body"
            within = function or (inside if in_body else None)
            began = node.lineno if isinstance(node, ast.stmt) else statement
            yield _Place(parent, field, place, node, inside, within, began)
            yield from _places(node, _within(inside, node), within, began)


def _unseen(parent: ast.AST, field: str, node: ast.AST) -> bool:
    """Whether ``node`` is for readers and checkers alone: types, messages, names, docstrings."""
    if field in _READERS_FIELDS or isinstance(node, _READERS_NODES):
        return True
    # The keywords of @dataclass and of Protocols stand in decorators and bases.
    if field == "keywords" and isinstance(parent, ast.ClassDef):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        named = [each.id for each in targets if isinstance(each, ast.Name)]
        return named == ["__all__"] or _of_types(node.value)
    return _of_types(node)


def _of_types(node: ast.AST | None) -> bool:
    """Whether it is an expression of types, or a line of a log."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return node.value.id in ("Literal", "ContextVar", "Generic")
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Attribute):
        return isinstance(called.value, ast.Name) and called.value.id == "_log"
    return isinstance(called, ast.Name) and called.id in _UNSEEN_CALLS


def _within(inside: str, node: ast.AST) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return f"{inside}.{node.name}" if inside else node.name
    return inside


def _name(place: _Place, change: Change) -> str:
    before, after = _shown(place.node), _shown(change.node)
    return f"{place.inside or 'module'}: {change.operator}: {before} -> {after}"


def _shown(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        text = f"if {ast.unparse(node.test)}"
    elif isinstance(node, ast.ExceptHandler):
        kind = "" if node.type is None else ast.unparse(node.type)
        ends = node.body and isinstance(node.body[0], ast.Raise) and node.body[0].exc is None
        text = f"except {kind}: raise" if ends else f"except {kind}"
    else:
        text = ast.unparse(node)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 1]}…"
