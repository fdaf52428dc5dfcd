import pytest

from flowspec.document.rendering.budget import Budget
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.templates import evaluate, is_template, names_in
from flowspec.document.rendering.values import MISSING
from tests.work import measured

NAMES = {
    "n": 8, "x": 0.5, "yes": True, "nothing": None, "day": "2026-11-22", "regions": ["us", "eu"],
    "m": {"key": 1, "get": 2, "_p": 3}, "unset": MISSING,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ n }}", 8), ("{{n}}", 8), ("{{ x }}", 0.5), ("{{ yes }}", True), ("{{ nothing }}", None),
        ("{{ regions }}", ["us", "eu"]), ("{{ m }}", NAMES["m"]), ("{{ '0123' }}", "0123"), ("{{ '1_000' }}", "1_000"),
        ("{{ n }} ", "8 "), ("a{{ n }}b", "a8b"), ("{{ n }}{{ n }}", "88"), ("{{ x }}!", "0.5!"), ("{{ yes }}!", "true!"),
        ("{{ n + 1 }}", 9), ("{{ n - 1.5 }}", 6.5), ("{{ n * 2 // 3 }}", 5), ("{{ n / 4 }}", 2.0), ("{{ n % 3 }}", 2),
        ("{{ 2 ** n }}", 256), ("{{ -n }}", -8), ("{{ +n }}", 8), ("{{ 'a' ~ n ~ x }}", "a80.5"), ("{{ 'a' + 'b' }}", "ab"),
        ("{{ 'ab' * 2 }}", "abab"), ("{{ [1] + [2] }}", [1, 2]), ("{{ (1, 2) }}", [1, 2]), ("{{ {'a': n} }}", {"a": 8}),
        ("{{ n > 4 }}", True), ("{{ 1 < n <= 8 }}", True), ("{{ 1 < n < 8 }}", False), ("{{ n != 8 }}", False),
        ("{{ 'us' in regions }}", True), ("{{ 'us' not in regions }}", False), ("{{ not yes }}", False),
        ("{{ n > 9 and 1/0 }}", False), ("{{ n > 1 or 1/0 }}", True), ("{{ 'big' if n > 4 else 'small' }}", "big"),
        ("{% if n > 9 %}a{% elif n > 4 %}b{% else %}c{% endif %}", "b"), ("{% if n > 9 %}a{% endif %}", ""),
        ("{{ m.key }}", 1), ("{{ m['key'] }}", 1), ("{{ m['get'] }}", 2), ("{{ m.get('no', 5) }}", 5), ("{{ regions[0] }}", "us"),
        ("{{ regions[-1] }}", "eu"), ("{{ day[:4] }}", "2026"), ("{{ day.replace('-', '') }}", "20261122"),
        ("{{ day.split('-') }}", ["2026", "11", "22"]), ("{{ day.split('-')[1] | int }}", 11), ("{{ day.upper() }}", "2026-11-22"),
        ("{{ regions | join(',') }}", "us,eu"), ("{{ regions | length }}", 2), ("{{ regions | first }}{{ regions | last }}", "useu"),
        ("{{ '%02d' % 5 }}", "05"), ("{{ '%s-%s' | format(n, day) }}", "8-2026-11-22"), ("{{ '%5.1f%%' % x }}", "  0.5%"),
        ("{{ nope | default('d') }}", "d"), ("{{ nothing | default('d') }}", None), ("{{ nothing | default('d', true) }}", "d"), ("{{ '' | d('x', true) }}", "x"),
        ("{{ nope is defined }}", False), ("{{ n is defined }}", True), ("{{ m.nope is undefined }}", True),
        ("{{ m.nope | default(1) }}", 1), ("{{ n is number and day is string }}", True), ("{{ 4 is divisibleby 2 }}", True),
        ("{{ range(3) }}", [0, 1, 2]), ("{{ range(1, 7, 3) }}", [1, 4]), ("{{ [3, 1, 2] | sort }}", [1, 2, 3]),
        ("{{ [1, 1, 2] | unique }}", [1, 2]), ("{{ [1, 2] | sum }}", 3), ("{{ '8' | int + 1 }}", 9), ("{{ '2.5' | float }}", 2.5),
        ("{{ 2.6 | round }}", 3.0), ("{{ 2.65 | round(1) }}", 2.6), ("{{ m | tojson }}", '{"_p": 3, "get": 2, "key": 1}'),
        ("{{ '{{' }} literal", "{{ literal"), ("{% raw %}{{ n }}{% endraw %}", "{{ n }}"), ("{# note #}{{ n }}", 8),
        ("{{ n | string }}", "8"), ("{{ 'a b' | title }}{{ ' c ' | trim }}", "A Bc"), ("{{ 5 | abs }}", 5), ("{{ regions | max }}", "us"),
        ("{{ n }}\n", "8\n"),
    ],
)  # fmt: skip
def test_values(text, value):
    found = evaluate(text, NAMES)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{{ ds_nodash }}", "write ds | strftime('%Y%m%d')"),
        ("{{ execution_date }}", "write ds for the day, or ts for the time"),
        ("{{ env.HOME }}", "declare a variable that has the key `env`, and write its name"),
        ("{{ var.value.day }}", "write only the variable's name"),
        ("{{ n }", "close {{ with }}"),
        ("{% if n }x", "close {% with %}"),
    ],
)
def test_a_name_or_form_of_another_tool_is_told_ours(text, hint):
    with pytest.raises(TemplateError) as raised:
        evaluate(text, NAMES)
    assert raised.value.hint == hint


@pytest.mark.parametrize(
    ("text", "id_", "word"),
    [
        ("{{ m }", "FS320", ""), ("{{ }}", "FS320", ""), ("{% if n %}", "FS320", ""), ("{% nonsense %}", "FS320", ""),
        ("{{ nn }}", "FS321", "nn"), ("a {{ m.kye }}", "FS321", "kye"), ("{{ self }}", "FS321", "self"), ("{{ loop }}", "FS321", "loop"),
        ("{% include 'x' %}", "FS322", ""), ("{% import 'x' as y %}", "FS322", ""), ("{% from 'x' import y %}", "FS322", ""),
        ("{% extends 'x' %}", "FS322", ""), ("{% block a %}{% endblock %}", "FS322", ""), ("{% autoescape true %}{% endautoescape %}", "FS322", ""),
        ("{% call n() %}{% endcall %}", "FS322", "n"), ("{{ n | attr('real') }}", "FS322", "real"), ("{{ regions | random }}", "FS322", "random"),
        ("{{ lipsum() }}", "FS322", "lipsum"), ("{{ cycler('a') }}", "FS323", ""), ("{{ namespace() }}", "FS323", ""), ("{{ range }}", "FS323", ""),
        ("{{ m.get }}", "FS323", "get"), ("{{ n() }}", "FS322", "n"), ("{{ m.key() }}", "FS322", "key"), ("{{ nope.deep | default(1) }}", "FS321", "nope"),
        ("{{ '{0.__class__}'.format(n) }}", "FS322", "__class__"), ("{{ '{0._p}'.format(m) }}", "FS322", "_p"), ("{{ '{}'.format_map(m) }}", "FS322", "format_map"),
        ("{{ regions | map('uper') | list }}", "FS322", "uper"), ("{{ n | uper }}", "FS322", "uper"), ("{{ n is evn }}", "FS322", "evn"),
        ("{{ regions | select('evn') | list }}", "FS322", "evn"), ("{{ n | int(1, 2, 3) }}", "FS323", "int"), ("{{ n | int(nope=1) }}", "FS323", "int"),
        ("{{ day.__class__ }}", "FS322", "__class__"), ("{{ m._p }}", "FS322", "_p"),
        ("{{ day['__class__'] }}", "FS322", "__class__"), ("{{ m['_' ~ 'p'] }}", "FS322", "_p"), ("{{ day.real }}", "FS321", "real"), ("{{ n.real }}", "FS322", "real"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "FS322", "__class__"), ("{{ range.__globals__ }}", "FS322", "__globals__"),
        ("{{ regions.append(1) }}", "FS322", "append"), ("{{ m.update({}) }}", "FS322", "update"), ("{{ day.encode() }}", "FS322", "encode"),
        ("{{ range(*regions) }}", "FS323", "range"), ("{{ range(**{'_loop_vars': m}) }}", "FS323", "range"), ("{{ (range)(3)(4) }}", "FS322", ""),
        ("{{ 1 / 0 }}", "FS323", ""), ("{{ 'a' < 1 }}", "FS323", ""), ("{{ n + 'a' }}", "FS323", ""), ("{{ regions - 1 }}", "FS323", ""),
        ("{{ regions }} x", "FS323", ""), ("{{ m }} x", "FS323", ""), ("{{ nothing }} x", "FS323", ""),
        ("{{ ('x' if not yes).y }}", "FS323", ""), ("{{ 'nan' | float }}", "FS323", ""), ("{{ regions[9] }}", "FS323", ""),
        ("{{ regions[nope] }}", "FS321", "nope"), ("{{ m[nope] }}", "FS321", "nope"), ("{{ regions[[n]] }}", "FS323", ""), ("{{ {[]: 1} }}", "FS323", ""),
        ("{{ '%(a)s' % m }}", "FS323", ""), ("{{ '%*d' % [9, 1] }}", "FS323", ""), ("{{ '%9999d' % 1 }}", "FS323", ""), ("{{ (-8) ** 0.5 }}", "FS323", ""),
        ("{{ 10.0 ** 999 }}", "FS323", ""), ("{{ range('a') }}", "FS323", "range"),
        ("{{ 9 ** 9 ** 9 }}", "FS324", ""), ("{{ 'a' * 10 ** 9 }}", "FS324", ""), ("{{ 10 ** 9 * 'a' }}", "FS324", ""), ("{{ [0] * 10 ** 9 }}", "FS324", ""),
        ("{{ range(10 ** 12) }}", "FS324", ""), ("{{ range(10 ** 60) }}", "FS324", ""), ("{{ 1 " + "+ 1 " * 20_000 + "}}", "FS324", ""),
        ("{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}", "FS324", ""), ("{{ " + "not " * 5_000 + "n }}", "FS324", ""),
        ("{{ " + "[" * 5_000 + "]" * 5_000 + " }}", "FS324", ""), ("x" * 100_000 + "{{ n }}", "FS324", ""),
        ("{{ ('a' * 90000) ~ ('b' * 90000) }}", "FS324", ""), ("{{ ('a' * 90000) + ('b' * 90000) }}", "FS324", ""),
        ("{{ ('a' * 50000) | replace('a', 'bbbb') }}", "FS324", ""), ("{{ ('a' * 50000).replace('', 'bbbb') }}", "FS324", ""),
        ("{{ ('a' * 50000).split('a') }}", "FS324", ""), ("{{ range(9000) | join('x' * 1000) }}", "FS324", ""),
        ("{{ 'a' * 90000 }}{{ 'b' * 90000 }}", "FS324", ""), ("{{ 3.5 | round(10 ** 9) }}", "FS324", ""),
        ("{{ [range(9999), range(9999)] " + "+ [range(9999)] " * 200 + "}}", "FS324", ""),
        ("{{ unset }}", "", ""), ("x{{ unset }}", "", ""),
    ],
)  # fmt: skip
def test_refusals_are_quick_and_name_the_culprit(text, id_, word):
    with measured() as work, pytest.raises(TemplateError) as caught:
        evaluate(text, NAMES)
    assert work.calls < 2_000_000
    assert work.bytes < 50_000_000
    assert (caught.value.id, caught.value.word) == (id_, word)


def test_the_nearest_name_is_suggested():
    with pytest.raises(TemplateError) as caught:
        evaluate("{{ regoins }}", NAMES)
    assert caught.value.hint == "did you mean regions?"


@pytest.mark.parametrize(
    ("budget", "text"), [(Budget(steps=1_100), "{{ n + 1 }}"), (Budget(characters=1000), "{{ 'a' * 50 }}")]
)
def test_what_a_document_may_use_is_bounded_over_all_its_templates(budget, text):
    for _ in range(10):
        evaluate(text, NAMES, budget)
    with pytest.raises(TemplateError, match="too much"):
        list(map(evaluate, [text] * 50, [NAMES] * 50, [budget] * 50))


def test_names():
    assert names_in("{{ a.b | default(c) }} {% if d %}{{ e }}{% endif %}") == {"a", "c", "d", "e"}
    assert is_template("x{{")
    assert is_template("{%")
    assert not is_template("{ {x} } ${y} #{z}")
