"""What a template of replies can say: the part of Jinja2 that is known, as Jinja2 says it."""

from __future__ import annotations

import jinja2
import pytest

from chaoscheck.server.template.compiling import TemplateFailed, compiled
from chaoscheck.server.template.functions import FILTERS, TESTS, TEXT_METHODS

VALUES = {
    "text": "Hello <World>, it's me",
    "model": "gpt-x",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello\nthere"},
        {"role": "user", "content": "Again"},
    ],
    "key": "k-1",
    "attempt": 2,
}

SAME_AS_JINJA2 = [
    "plain {{ text }} {{ attempt + 1 }} {{ messages[0].role }} {{ messages[-1]['content'] }}",
    "{% if attempt > 1 and model %}a{% elif text %}b{% else %}c{% endif %}",
    "{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ m.content }}{% endfor %}",
    "{% for m in messages %}{{ loop.length }}{% if not loop.last %}; {% endif %}{% endfor %}",
    "{% for a, b in {'x': 1, 'y': 2}.items() %}{{ a }}{{ b }}{% endfor %}",
    "{% for a in [1, 2, 3] %}{{ loop.cycle('-', '+') }}{% endfor %}",
    "{% for x in [] %}{% else %}none{% endfor %}",
    "{% set x = 1 %}{% for i in range(3) %}{% set x = i %}{% endfor %}{{ x }}",
    "{% set n = namespace(x=0) %}{% for i in [1, 2] %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}",
    "{% set x %}a{{ model }}{% endset %}{{ x }}{% filter upper %}b{{ key }}{% endfilter %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% with c = 3 %}{{ c }}{% endwith %}",
    "{{ nothing|default('d') }}{{ ''|default('e', true) }}{{ nothing is defined }}",
    "{{ text is defined }}{{ messages[0].nothing is undefined }}",
    "{{ 7 // 2 }} {{ 7 / 2 }} {{ 7 % 4 }} {{ -2 ** 3 }} {{ +1.5 }} {{ 2 * 'ab' }} {{ [1] + [2] }}",
    "{{ 1 < 2 <= 2 != 3 }} {{ 'a' in 'abc' }} {{ 1 not in [1] }} {{ not 0 or false }}",
    "{{ 'a' if attempt == 1 else 'b' }}{{ 'a' if attempt == 1 }}{{ 1 ~ 'x' ~ none }}",
    "{{ [1, 'a', none, true, 2.5, (1,), {'k': [1]}] }} {{ (1, 2) }}",
    "{{ text[0:5] }} {{ text[::-1] }} {{ messages[1:]|length }} {{ range(1, 9, 3)|list }}",
    "{{ '%s is %03d and %.2f%%' % ('a', 7, 1.5) }} {{ '%(a)s' % {'a': 1} }} {{ '%s'|format([1]) }}",
    "{{ text|upper|lower|title|capitalize }} {{ text|e }} {{ text|safe }}",
    "{{ text|replace('l', 'L', 1) }} {{ text|trim('H') }} {{ text|truncate(12) }}",
    "{{ 'a b'|urlencode }} {{ 'a/\u00e9'|urlencode }}",
    "{{ text|wordcount }} {{ text|length }} {{ text|first }} {{ text|last }} {{ 'ab'|reverse }}",
    "{{ 'x'|center(9) }}| {{ 'a\nb\n\nc'|indent(2) }} {{ 'a\nb'|indent(2, first=true) }}",
    "{{ messages|map(attribute='content')|join(', ') }} {{ ['a', 'b']|map('upper')|list }}",
    "{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list|last }}",
    "{{ messages|rejectattr('role', 'eq', 'user')|list }} {{ [1, 2, 3]|select('odd')|list }}",
    "{{ [3, 1, 2]|sort }} {{ ['b', 'A']|sort(reverse=true) }}",
    "{{ messages|sort(attribute='role')|first }}",
    "{{ ['a', 'A', 'b']|unique|list }} {{ [1, 5]|max }} {{ [1, 5]|min }} {{ [1, 2.5]|sum }}",
    "{{ [1, 2, 3]|batch(2, 0)|list }} {{ 'abc'|list }} {{ {'a': 1}|items|list }}",
    "{{ '7'|int + '2.5'|float }} {{ 'x'|int(3) }} {{ '7.9'|int }}",
    "{{ 2.567|round(1) }} {{ -3|abs }}",
    "{{ {'a': [1, 'x<y']}|tojson }} {{ 3|string ~ '' }}",
    "{{ 3 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ none is none }}{{ 'a' is string }}",
    "{{ 1 is number }}{{ [] is sequence }}{{ {} is mapping }}{{ 2 is gt 1 }}{{ 1 is in [1] }}",
    "{{ true is boolean }}{{ 1.0 is float }}{{ 1 is integer }}{{ true is true }}",
    "{{ 'a' is iterable }}",
    "{{ text.upper() }}{{ 'a,b'.split(',') }}{{ 'a'.join(['x', 'y']) }}{{ text.startswith('He') }}",
    "{{ 'x'.ljust(3) }}|{{ 'x'.rjust(3, '.') }}{{ '7'.zfill(3) }}{{ ' a '.strip() }}",
    "{{ 'aa'.count('a') }} {{ 'abc'.find('c') }} {{ 'ab'.endswith('b') }}",
    "{{ 'a\nb'.splitlines() }}",
    "{{ messages[0].get('role') }}{{ messages[0].get('x', 'y') }}{{ messages[0].keys()|list }}",
    "{# a comment #}{%- if true -%}  trimmed  {%- endif -%}{% raw %}{{ raw }}{% endraw %}",
    "{{ dict(a=1) }} {{ '\u00e9\u4e2d'|upper }} {{ '\ud83d' ~ '' }}",
]


@pytest.mark.parametrize("template", SAME_AS_JINJA2)
def test_what_is_known_is_said_as_jinja2_says_it(template: str) -> None:
    """My template means here what Jinja2's documentation says."""
    expected = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(template)

    assert expected.render(VALUES) == compiled(template)(VALUES)


def test_every_name_of_the_tables_is_tried() -> None:
    """No filter, test or method is known that no comparison with Jinja2 covers."""
    everything = " ".join(SAME_AS_JINJA2)
    aliases = {"count", "escape", "e", "reject", "equalto", "eq"}
    names = [name for name in FILTERS if name not in aliases]

    assert [] == [name for name in names if f"|{name}" not in everything]
    assert {"center", "indent", "format", "batch"} <= FILTERS.keys()
    assert TESTS.keys() > {"odd", "in", "=="}
    assert {"ljust", "rjust", "zfill"} <= TEXT_METHODS.keys()


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ nothing }}", "UndefinedError: 'nothing' is undefined"),
        ("{{ messages[0].nothing }}", "UndefinedError"),
        ("{{ messages[9] }}", "UndefinedError: it has no element 9"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ 'a' + 1 }}", "TypeError: str + int is not defined"),
        ("{{ 'a' - 'b' }}", "TypeError: str - str is not defined"),
        ("{{ text|upper(1, 2) }}", "TypeError"),
        ("{{ [1, 'a']|sort }}", "TypeError"),
        ("{{ [[1]]|sort }}", "TypeError: only numbers or texts have an order"),
        ("{{ [1] < [2] }}", "TypeError: only two numbers or two texts have an order"),
        ("{{ 5 in 5 }}", "TypeError: int has no items"),
        ("{{ []|max }}", "LookupError: there is no item"),
        ("{{ {[1]: 2} }}", "TypeError: a key must be a text or a number"),
        ("{{ -'a' }}", "TypeError: only a number has a sign"),
        ("{{ (-8) ** 0.5 }}", "TypeError: a complex number"),
        ("{% set a, b = [1] %}", "ValueError: 2 names and 1 values"),
        ("{% set text.x = 1 %}", "TypeError: 'text' is no namespace"),
        ("{{ '%y' % 1 }}", "ValueError: a format knows no '%y'"),
        ("{{ 'a' * 'b' }}", "TypeError"),
        ("{{ 7[0:1] }}", "TypeError: int has no slices"),
    ],
)
def test_a_template_that_fails_names_the_reason(template: str, says: str) -> None:
    """What my template did wrong is said in a line."""
    with pytest.raises(TemplateFailed) as failed:
        compiled(template)(VALUES)

    assert says in str(failed.value)
