"""No template takes more work or memory than its budget, whatever it is made of.

Work is counted, not timed: each template here would run for hours or take gigabytes, so that one
which escaped its budget would show as a test that does not end, or in the peak of memory.
"""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.server.template.budget import TEXT_LENGTH_MAX, UNITS, Budget, OverBudget
from chaoscheck.server.template.compiling import TemplateFailed, TemplateSyntax, compiled

LONG = "x" * 900_000
WORDS = " a" * 450_000
VALUES = {
    "text": LONG,
    "words": WORDS,
    "messages": [{"role": "user", "content": "hello " * 20}] * 3,
}
MEMORY_MAX = 64 * 2**20  # bytes, above the values: twelve texts of the greatest length at 4 bytes

_LOOP = "{% for i in range(20000) %}"
_END = "{% endfor %}"
_DOUBLED = "{% set a = [1] %}{% set b = [1] %}" + "{% set a = [a, a] %}{% set b = [b, b] %}" * 40
_TWO = "{% set l = (text ~ 'a', text ~ 'b') %}"

_ZEROS = ",".join(f"{n}:0" for n in range(1, 4000))
_MAPPINGS = "{% set d = {0:0," + _ZEROS + "} %}{% set e = {0:1," + _ZEROS + "} %}"

TOO_WIDE = [
    "'%0999999999d' % 1",
    "'%999999999s' % 'a'",
    "'%.999999999f' % 1",
    "'%(a)999999999s' % {'a': 1}",
    "'%*d' % (999999999, 1)",
    "'%999999999d'|format(1)",
    "'%c%999999999d'|format(1, 2)",
    "'a'|center(999999999)",
    "'a'.center(999999999)",
    "'a'.ljust(999999999)",
    "'a'.rjust(999999999)",
    "'a'.zfill(999999999)",
    "[1]|batch(999999999, 'x')",
    "'a'|indent(999999999)",
    "'a\n'|indent(text)",
    "'{:999999999}'.format(1)",
    "'%s%s' % (text, text)",
    "'%(a)s%(a)s' % {'a': text}",
    "text * 2",
    "2 * text",
    "text + text",
    "text ~ text",
    "[text, text]|join",
    "text.join('abc')",
    "text|replace('x', 'yy')",
    "text|replace('', 'y')",
    "text|urlencode",
    "[text, text]|string",
    "[text, text]|tojson",
    "[1] * 999999999",
    "[1] * 9999 + [1] * 99999",
    "range(10 ** 18)",
    "range(0, 10 ** 9)|list",
    "words.split()",
    "words.split(' ')",
    "text|list",
    "2 ** 99999999",
    "9 ** 9 ** 9 ** 9",
    "(-3) ** 99999999",
    "9223372036854775807 + 1",
    "4294967296 * 4294967296",
    "10.0 ** 400",
    "5|round(-999999999)",
    "text|trim(words)",
]

ENDLESS = [
    _LOOP * 3 + _END * 3,
    _LOOP + "{{ words|wordcount }}" + _END,
    _LOOP + "{{ text|upper|length }}" + _END,
    _LOOP + "{{ 'y' in text }}" + _END,
    _LOOP + "{{ text == text ~ '' }}" + _END,
    _LOOP + "{{ text.count('xx') }}" + _END,
    _LOOP + "{{ text.find('x' * 3000 ~ 'y') }}" + _END,
    _LOOP + "{{ words.split('b')|length }}" + _END,
    _LOOP + "{{ words|title|length }}" + _END,
    _LOOP + "{{ text[::-1]|length }}" + _END,
    _LOOP + "{{ text|reverse|length }}" + _END,
    _LOOP + "{{ range(20000)|sort|length }}" + _END,
    _LOOP + "{{ range(20000)|unique|length }}" + _END,
    _LOOP + "{{ range(20000)|max }}" + _END,
    _LOOP + "{{ range(20000)|sum }}" + _END,
    _LOOP + "{{ range(20000)|map('string')|length }}" + _END,
    _LOOP + "{{ range(20000)|select('odd')|length }}" + _END,
    _LOOP + "{{ range(20000)|reverse|length }}" + _END,
    _LOOP + "{{ range(20000)|batch(2)|length }}" + _END,
    _LOOP + "{{ (i * i // 3) % 7 ** 2 - i }}" + _END,
    _LOOP + "{{ '%s %s %d' % (1, 2, 3) }}" + _END,
    _LOOP + "{% if i < 0 %}{% elif i < 0 %}{% endif %}" * 9 + _END,
    _LOOP + "{% set x = i %}" * 9 + _END,
    _LOOP + "{% with x = i %}{% endwith %}" * 9 + _END,
    _LOOP + "{% filter upper %}x{% endfilter %}" * 9 + _END,
    _LOOP + "{{ " + " or ".join(["0"] * 9) + " }}" + _END,
    _LOOP + "{{ [" + "1," * 3000 + "]|length }}" + _END,
    _DOUBLED + "{{ a }}",
    _DOUBLED + "{{ a ~ '' }}",
    _DOUBLED + "{{ a|tojson }}",
    _DOUBLED + "{{ a == b }}",
    _DOUBLED + "{{ a in [b] }}",
    _DOUBLED + "{{ '%s' % (a,) }}",
    _DOUBLED + "{{ '%s' % {'x': a} }}",
    _DOUBLED + "{{ {'x': a} == {'x': b} }}",
    _LOOP + "{{ messages[0][text] is defined }}" * 3 + _END,
    _LOOP + "{{ nothing[text]|default('') }}{{ messages[0][text ~ 'y']|default('') }}" + _END,
    _MAPPINGS + _LOOP + "{{ d == e }}" + _END,
    _TWO + "{{ (l * 10000)|sort|length }}",
    _TWO + "{{ (l * 10000)|unique|length }}",
    _TWO + "{{ (l * 10000)|min|length }}",
    _TWO + "{% for each in l * 10000 %}{{ each < l[0] ~ '' }}{% endfor %}",
    _TWO + "{{ (text ~ 'c') in l * 10000 }}",
    "{% set ns = namespace(n=0) %}" + _LOOP * 2 + "{% set ns.n = ns.n + 1 %}" + _END * 2,
]


def _peak_of(template: str) -> tuple[int, str]:
    """The peak of memory in bytes while a template is rendered, and why it failed."""
    render = compiled(template)
    tracemalloc.start()
    try:
        with pytest.raises(TemplateFailed) as failed:
            render(VALUES)
        return tracemalloc.get_traced_memory()[1], str(failed.value)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("expression", TOO_WIDE)
def test_an_expression_that_asks_for_too_much_fails_before_it_is_made(expression: str) -> None:
    """A short template cannot fill my memory, nor keep the server busy with one number."""
    peak, _ = _peak_of("{{ " + expression + " }}")

    assert peak < MEMORY_MAX


@pytest.mark.parametrize("template", ENDLESS, ids=range(len(ENDLESS)))
def test_a_template_without_an_end_is_ended_by_its_budget(template: str) -> None:
    """Loops in loops, long comparisons, shared lists: each step is charged, so each ends."""
    peak, why = _peak_of(template)

    assert "it takes more work than a reply may" == why
    assert peak < MEMORY_MAX


_TUPLES = "{% set a = (1,) %}" + "{% set a = (a, a) %}" * 40


@pytest.mark.parametrize(
    "expression",
    [
        "{}[a]",
        "messages[0][a]",
        "messages[0].get(a)",
        "{a: 1}",
        "a in {}",
        "messages|map(attribute=a)",
        "messages|sort(attribute=a)",
        "messages|join(attribute=a)",
        "messages|selectattr(a)",
        "messages|map(attribute=text)",
        "messages|map(a)",
        "messages|select(a)",
        "text.startswith((a, a))",
        "text.count(a)",
        "text.split(a)",
        "text|center(a)",
        "text|batch(a)",
        "a|int",
        "a|float",
        "a|round",
        "a|abs",
        "a|sum",
        "a|unique",
        "a < a",
        "-a",
        "a ** a",
        "a is divisibleby(a)",
        "range(a)",
        "dict(a=1)[a]",
    ],
)
def test_a_value_of_shared_parts_is_never_gone_over_by_python_itself(expression: str) -> None:
    """Forty nested pairs are 10^12 parts: to hash, print or compare them would take for ever."""
    render = compiled(_TUPLES + "{{ " + expression + " }}")
    try:
        assert render(VALUES) in {"0", "0.0", "False"}
    except TemplateFailed:
        pass


@pytest.mark.parametrize(
    "template",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "-" * 5000 + "1 }}",
        "{{ 1" + "+1" * 5000 + " }}",
        "{{ x" + "|upper" * 5000 + " }}",
        "{{ a" + ".b" * 5000 + " }}",
        "{% if 1 %}" * 5000 + "{% endif %}" * 5000,
        "{% for x in y %}" * 60 + "{% endfor %}" * 60,
        "{{ " + "9" * 90_000 + " }}",
        "{{ 0x" + "f" * 9_000 + " }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% extends 'x' %}",
        "{% import 'x' as y %}",
        "{% block x %}{% endblock %}",
        "{{ range(*[1, 2]) }}",
        "{{ text|random }}",
        "{{ text is callable }}",
        "{{ lipsum() }}",
        "{{ self() }}",
        "{{ cycler(1) }}",
    ],
)
def test_what_could_not_be_bounded_is_refused_as_it_is_read(template: str) -> None:
    """Depth without a bound and code that calls itself never get as far as a request."""
    with pytest.raises(TemplateSyntax):
        compiled(template)


@pytest.mark.parametrize(
    "expression",
    [
        "text.__class__",
        "text['__class__']",
        "text.upper.__self__",
        "messages.append",
        "messages[0].__init__",
        "namespace().names",
        "(text|attr('upper'))",
        "text.format()",
        "text.encode()",
        "messages.pop()",
        "messages[0].clear()",
        "messages[0].setdefault('a', 1)",
        "messages[0].get.__globals__",
    ],
)
def test_nothing_outside_of_the_template_is_reached(expression: str) -> None:
    """Python's own attributes and methods do not exist for a template."""
    with pytest.raises((TemplateSyntax, TemplateFailed)):
        compiled("{{ " + expression + " }}")(VALUES)


def test_the_same_template_ends_at_the_same_step_always() -> None:
    """The budget counts work: a slow machine says what a fast one says."""
    template = "{% for i in range(20000) %}{{ i }},{{ i|string|length }};{% endfor %}"

    assert 1 == len({_peak_of(template)[1] for _ in range(3)})
    fitting = template.replace("20000", "500")
    assert 1 == len({compiled(fitting)({}) for _ in range(3)})


_NAMES = st.sampled_from(["text", "words", "messages", "i", "7", "'ab'", "[1, 'b']", "2.5", "{}"])
_APPLIED = (
    *("upper", "list", "sort", "unique", "join(text)", "batch(2)", "center(999)", "tojson"),
    *("indent(99, true)", "string", "replace('x', words)", "truncate(9)", "map('upper')", "sum"),
    *("max", "wordcount", "int", "round(3)", "urlencode"),
)
_EXPRESSIONS = st.recursive(
    _NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/%~"), inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(inner, st.sampled_from(["**", "//", "in", "==", "<", "and"]), inner).map(
            "({0[0]} {0[1]} {0[2]})".format
        ),
        st.tuples(
            inner,
            st.sampled_from(_APPLIED),
        ).map("({0[0]}|{0[1]})".format),
        st.tuples(inner, inner).map("[{0[0]}, {0[1]}]".format),
        inner.map("{0}[::-1]".format),
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.lists(_EXPRESSIONS, min_size=1, max_size=3), st.integers(0, 2))
def test_any_expression_in_any_loop_stays_within_its_budget(said: list[str], loops: int) -> None:
    """Whatever is combined, rendering ends: with a text of legal length, or with a failure."""
    body = "".join("{{ " + expression + " }}" for expression in said)
    template = _LOOP * loops + "{% set i = 3 %}" + body + _END * loops
    try:
        rendered = compiled(template)({**VALUES, "text": LONG[:9_000], "words": WORDS[:9_000]})
    except (TemplateFailed, TemplateSyntax):
        return
    assert len(rendered) <= TEXT_LENGTH_MAX


def test_a_budget_is_spent_once_and_never_given_back() -> None:
    """A charge is at least one unit, so that nothing is free in a loop."""
    budget = Budget()
    budget.make_text(0)
    budget.make_items(0)
    budget.look_at("")
    budget.search("")

    assert UNITS - 4 == budget.left
    with pytest.raises(OverBudget):
        budget.spend(UNITS)
