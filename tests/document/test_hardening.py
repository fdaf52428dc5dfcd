"""Specs from people one does not trust: each attack is refused, fast, and none reads or runs anything."""

import contextlib
import random
import subprocess
import sys

import pytest

from flowspec.document.checking.validate import validate
from flowspec.errors import SpecError
from flowspec.request.compile import compile
from tests.specs import compiled, rendered
from tests.work import counted_calls, measured

HEAD = "flowspec: v1\nname: x\nrelease_label: emr-7.5.0\nmaster_instance_type: m5.xlarge\n"

ATTACKS = [
    # loops and sizes
    "{% for a in range(10 ** 9) %}x{% endfor %}", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "{% for a in iter(int, 1) %}{% endfor %}", "{% while true %}{% endwhile %}",
    "{{ range(10 ** 9) | list }}", "{{ range(0 - 10 ** 18, 10 ** 18) }}", "{{ range(99999999999999999999) | sum }}", "{{ range(0, 10, 0) }}",
    "{{ 'x' * 10 ** 10 }}", "{{ ['x'] * 10 ** 10 }}", "{{ 10 ** 10 ** 10 }}", "{{ (2 ** 200) ** 2 }}", "{{ 1 << 99 }}", "{{ '%999999999d' % 1 }}",
    "{{ '%.999999999f' % 1 }}", "{{ 'x' | center(10 ** 9) }}", "{{ 'x'.ljust(10 ** 9) }}", "{{ 'x'.zfill(10 ** 9) }}", "{{ 'x' | indent(10 ** 9) }}",
    "{{ ('a' * 99999) | wordwrap(1) }}", "{{ range(9999) | batch(10 ** 9, 0) }}", "{{ range(9999) | slice(99999) }}", "{{ lipsum(10 ** 6) }}",
    "{{ [range(9999), range(9999)] | map('list') | list | tojson * 99 }}", "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}", "{{ ('a,' * 40000).split(',') }}",
    # depth
    "{{ " + "(" * 20_000 + ")" * 20_000 + " }}", "{{ " + "[" * 20_000 + "]" * 20_000 + " }}", "{{ " + "-" * 50_000 + "1 }}",
    "{{ a" + ".a" * 30_000 + " }}", "{{ 1" + " | abs" * 15_000 + " }}", "{% if 1 %}x{% elif 0 %}" + "{% elif 0 %}" * 8_000 + "{% endif %}", "{% if 1 %}" * 5_000 + "{% endif %}" * 5_000, "{{ 1 if 1 else " * 5_000,
    # Python's objects
    "{{ ''.__class__ }}", "{{ ''['__class__'] }}", "{{ '' | attr('__class__') }}", "{{ ''['__cla' ~ 'ss__'] }}", "{{ '' | attr('\\x5f_class_\\x5f') }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}", "{{ ().__class__.__bases__[0].__subclasses__() }}", "{{ [].append.__self__ }}", "{{ range.__init__.__globals__ }}",
    "{{ self }}", "{{ self.__init__ }}", "{{ self._TemplateReference__context }}", "{{ config }}", "{{ config.items() }}", "{{ request.application }}",
    "{{ cycler }}", "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "{{ joiner('x').sep }}", "{{ namespace(a=1) }}", "{{ namespace(a=1)._Namespace__attrs }}", "{{ cycler(1).items }}",
    "{% set x = namespace() %}{% set x._y = 1 %}", "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}", "{% macro m() %}{% endmacro %}{{ m }}", "{% for a in [1] %}{{ loop._iterable }}{% endfor %}",
    "{% for a in [1] %}{{ loop.__init__ }}{% endfor %}", "{{ range(3).__class__ }}", "{{ ([1] | map('string')).gi_frame }}", "{{ dict.mro() }}", "{{ dict.fromkeys(range(9)) }}", "{% macro m() %}{{ caller.__self__ }}{% endmacro %}{{ m() }}",
    "{{ lipsum.__globals__ }}", "{{ url_for.__globals__ }}", "{{ get_flashed_messages }}", "{{ loop }}", "{{ caller() }}", "{{ varargs }}", "{{ kwargs }}",
    "{{ getattr('', '__class__') }}", "{{ type('') }}", "{{ eval('1') }}", "{{ exec('1') }}", "{{ __import__('os') }}", "{{ globals() }}", "{{ vars() }}",
    # format and friends
    "{{ '{0.__class__}'.format(1) }}", "{{ '{0.__class__}' | format(1) | upper | attr('x') }}", "{{ '{}'.format_map({}) }}", "{{ '%(__class__)s' % {} }}",
    "{{ '%n' % 1 }}", "{{ '%c' % 'ab' }}", "{{ '{:>999999999}'.format(1) }}", "{{ '{:{}}'.format(1, 10 ** 9) }}", "{{ '%*s' % [10 ** 9, 1] }}", "{{ ['a'] | map('attr', '__class__') }}",
    "{{ ['a'] | map(attribute='__class__') }}", "{{ ['a', 'b'] | sort(attribute='__class__') }}", "{{ ['a'] | groupby('__class__') }}", "{{ ['a'] | select('x') }}",
    "{{ ['a'] | selectattr('__class__') }}", "{{ ['a'] | sum(attribute='x') }}", "{{ ['a', 'b'] | max(attribute='__doc__') }}",
    "{{ ['a'] | map('attr', 'upper') | map(attribute='__self__') }}", "{{ 'x'.encode() }}", "{{ [].append(1) }}", "{{ {}.update(a=1) }}", "{{ [1].pop() }}", "{{ [[1]] | sum(start=(1,)) }}", "{{ 'x'.translate({120: 'y' * 99}) }}", "{{ ('x' * 9999).join(['a'] * 9999) }}",
    # files, programs, the environment
    "{% include '/etc/passwd' %}", "{% import '/etc/passwd' as x %}", "{% from 'os' import path %}", "{% extends '/etc/passwd' %}", "{{ include('/etc/passwd') }}",
    "{{ open('/etc/passwd').read() }}", "{{ lookup('file', '/etc/passwd') }}", "{{ file('/etc/passwd') }}", "{{ read('x') }}", "{{ '/etc/passwd' | read }}",
    "{{ environ }}", "{{ environ['HOME'] }}", "{{ env.HOME }}", "{{ env_var('HOME') }}", "{{ os.environ }}", "{{ HOME }}", "{{ lookup('env', 'HOME') }}", "{{ getenv('HOME') }}",
    # statements
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{% call x() %}{% endcall %}", "{% block x %}{% endblock %}", "{% do 1 %}", "{% debug %}",
    "{% autoescape true %}{% endautoescape %}", "{% trans %}{% endtrans %}",
    "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", "{{ range(*['9']) }}", "{{ range(**{}) }}", "{{ range(9, _loop_vars={}) }}",
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda text: text[:50])
def test_each_attack_is_refused_at_its_place_at_once(tmp_path, attack):
    with measured() as work:
        document = rendered(tmp_path, f"{HEAD}additional_info: >-\n  {attack}\n", environ={"HOME": "/home/secret"})
    assert work.calls < 2_000_000
    assert work.bytes < 50_000_000
    assert document.find(("additional_info",)).failed
    errors = [one for one in document.diagnostics if one.severity.value == "error"]
    assert errors
    for one in errors:
        assert one.id in {"FS320", "FS321", "FS322", "FS323", "FS324"}
        assert one.location.line in {5, 6}
        assert "secret" not in str(one)


@pytest.mark.parametrize(
    "text",
    [
        "'{{ X }}': 1",
        "steps: [{name: x, type: command, args: [a], when: '{{ X }}'}]",
        "steps: [{name: x, type: command, args: [a], for_each: '{{ X }}'}]",
        "variables: {v: {default: '{{ X }}'}}\nadditional_info: '{{ v }}'",
        "variables: {v: {}}\ntargets: {t: {variables: {v: '{{ X }}'}}}\nadditional_info: '{{ v }}'",
        "targets: {t: {additional_info: '{{ X }}'}}",
        "tags: {a: '{{ X }}'}",
    ],
)
@pytest.mark.parametrize("attack", ["cycler.__init__.__globals__", "range(10 ** 12)", "10 ** 10 ** 12", "environ.HOME"])
def test_wherever_a_template_may_stand(tmp_path, text, attack):
    with measured() as work, pytest.raises(SpecError) as caught:
        compiled(tmp_path, HEAD + text.replace("X", attack) + "\n", environ={"HOME": "/home/secret"})
    assert work.calls < 2_000_000
    assert work.bytes < 50_000_000
    assert {one.id for one in caught.value.diagnostics if one.severity.value == "error"} <= {"FS321", "FS322", "FS324"}


def test_nothing_is_opened_or_run_by_a_template(tmp_path):
    """The interpreter itself is the witness: every file opened and every program run is an audit event."""
    (tmp_path / "job.yaml").write_text(
        HEAD + "tags:\n" + "".join(f"  k{n}: {text!r}\n" for n, text in enumerate(ATTACKS) if "\\" not in text)
    )
    code = """
import sys
from flowspec import load, render
from flowspec.document.rendering.templates import evaluate
import flowspec.document.rendering.jinja.running, flowspec.document.text.dump, re2, textwrap
render(load("job.yaml"), environ={})  # imports all that is needed
seen = []
document = load("job.yaml")
# jinja2 compiles templates, and the compiled code is run; both from text that has no file.
sys.addaudithook(lambda event, args: seen.append((event, str(args)[:200])) if "<template>" not in str(args) else None)
render(document, environ={})
print([one for one in seen if one[0].split(".")[0] in ("open", "os", "subprocess", "socket", "exec", "compile", "shutil", "import")])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def lines(count, template):
    return "".join(template.replace("N", str(number)) for number in range(count))


LETTERS = random.Random(1).choices([chr(0x4E00 + number) for number in range(150)], k=40_000)

BIG = {
    "10,000 steps": ("steps:\n" + lines(10_000, "  - {name: sN, type: jar, jar: s3://b/N.jar, args: [a, b]}\n"), "FS208"),
    # 2 s; of 10,000 they take 6.6 s, which a slower machine does not do in 10 s.
    "3,000 steps with templates": (
        "steps:\n" + lines(3_000, "  - {name: 's{{ N }}', type: command, args: ['{{ ds }} {{ N + 1 }}']}\n"),
        "FS208",
    ),
    "10,000 wrong steps": ("steps:\n" + lines(10_000, "  - {name: sN, type: jarr, jar: N}\n"), "FS104"),
    "10,000 steps by a loop": (
        "steps: [{name: 's{{ item }}', type: command, args: [a], for_each: '{{ range(10000) }}'}]\n",
        "FS208",
    ),
    "more than a loop may make": (
        "steps: [{name: x, type: command, args: [a], for_each: '{{ range(9999) }}'}, "
        "{name: x, type: command, args: [a], for_each: '{{ range(9999) }}'}]\n",
        "FS324",
    ),
    "5,000 overrides": (
        "targets:\n  t:\n    steps:\n" + lines(5_000, "      - {name: sN, args: [x]}\n")
        + "steps:\n" + lines(5_000, "  - {name: sN, type: command, args: [a]}\n"),
        "FS208",
    ),
    "30,000 unknown keys": (lines(30_000, "keyN: value\n"), "FS101"),
    "one key 30,000 times": ("tags: {}\n" * 30_000, "FS006"),
    "a scalar of 1 MB": ("additional_info: '" + "x" * 1_000_000 + "'\n", "FS107"),
    "a template of 1 MB": ("additional_info: '{{ \"" + "x" * 1_000_000 + "\" }}'\n", "FS324"),
    "a line that never ends": ("additional_info: {{ x" + " " * 1_000_000 + "'\n", "FS008"),
    "a key of 1 MB": ("? " + "k" * 1_000_000 + "\n: v\n", "FS101"),
    "2,000 variables in a chain": (
        "variables:\n" + lines(2_000, "  vN: {default: '{{ wN }}'}\n") + "tags: {a: '{{ v0 }}'}\n", "FS321",
    ),
    "3,000 groups of unknown types": (
        "instance_groups:\n" + lines(3_000, "  - {role: TASK, type: m5.xlargeN, count: 1}\n"), "FS202",
    ),
    "3,000 unknown variables of a target": (
        "variables:\n" + lines(200, "  variable_N: {default: 1}\n")
        + "targets:\n  t:\n    variables:\n" + lines(3_000, "      variabel_N: 1\n"), "FS305",
    ),
    "3,000 unknown steps of a target": (
        "steps:\n" + lines(200, "  - {name: load N, type: jar, jar: s3://b/a.jar}\n")
        + "targets:\n  t:\n    steps:\n" + lines(3_000, "      laod N: {args: [a]}\n"), "FS313",
    ),
    "3,000 needs of unknown steps": (
        "steps:\n" + lines(200, "  - {name: load N, type: jar, jar: s3://b/a.jar}\n")
        + "  - name: last\n    type: jar\n    jar: s3://b/a.jar\n    needs:\n" + lines(3_000, "      - laod N\n"), "FS295",
    ),
    "3,000 steps that need the one before": (
        "steps:\n  - {name: s-1, type: jar, jar: s3://b/a.jar, needs: [s2999]}\n"
        + "".join(f"  - {{name: s{n}, type: jar, jar: s3://b/a.jar, needs: [s{n - 1}]}}\n" for n in range(3_000)), "FS296",
    ),
    "names of 40,000 letters": (
        f"steps:\n  - {{name: {''.join(LETTERS)}, type: jar, jar: s3://b/a.jar}}\n"
        f"targets:\n  t:\n    steps:\n      ? {''.join(sorted(LETTERS))}\n      : {{args: [a]}}\n", "FS313",
    ),
    "a version of 5,000 digits": ("requires: '>=" + "9" * 5_000 + "'\n", "FS015"),
    "brackets": ("steps: " + "[" * 500_000 + "]" * 500_000 + "\n", "FS010"),
}  # fmt: skip


@pytest.mark.parametrize("what", BIG)
def test_big_specs_are_answered_with_little_work(tmp_path, what):
    text, expected = BIG[what]
    with counted_calls() as work, pytest.raises(SpecError) as caught:
        compile(validate(rendered(tmp_path, HEAD + text)))
    assert work.calls < 20_000_000
    errors = [one for one in caught.value.diagnostics if one.severity.value == "error"]
    assert expected in {one.id for one in errors}
    assert all(one.location.file == str(tmp_path / "job.yaml") for one in errors)


GUESSED = {
    "members": "api_params:\n" + lines(200, "  ReleaseLabelN: x\n"),
    "files": "staging: s3://b/\nsteps:\n  - {name: x, type: streaming, mapper: cat, reducer: cat, input: s3://b/i, output: s3://b/o,"
    + "     files: [" + lines(200, "jobN.yaml, ") + "]}\n",
}  # fmt: skip


@pytest.mark.parametrize("what", GUESSED)
def test_a_hundred_names_get_a_suggestion_and_no_more(tmp_path, what):
    with pytest.raises(SpecError) as caught:
        compile(validate(rendered(tmp_path, f"{HEAD}defaults: recommended\n{GUESSED[what]}")))
    assert len(caught.value.diagnostics) == 200
    assert sum("did you mean" in one.hint for one in caught.value.diagnostics) == 100


ONE_LINE = {
    "keys that are there twice": "tags: {" + "a: 1, " * 5_000 + "}\n",
    "templates without quotes": "tags: {" + lines(5_000, "kN: {{ x }}, ") + "}\n",
    "unused variables": "variables: {" + lines(2_000, "vN: {default: 1}, ") + "}\n",
    "unused variables beside a secret": (
        "variables: {s: {sensitive: true, default: hunter2}, " + lines(2_000, "vN: {default: 1}, ") + "}\ntags: {t: '{{ s }}'}\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ONE_LINE)
def test_findings_in_one_long_line_take_little_memory(tmp_path, what):
    with measured() as work, contextlib.suppress(SpecError):
        validate(rendered(tmp_path, HEAD + ONE_LINE[what]), emr_rules=False)
    # Each finding has its line.
    assert work.bytes < 20_000_000


SECRETS = {
    "that repeat themselves": ("default: " + "a" * 50_000, "{{ s }}{{ s[1:] }}"),
    "that are many, in long texts": (
        "type: list, default: [" + lines(5_000, "secretN, ") + "]", "{{ s[0] }}{{ 'secret' * 8000 }}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SECRETS)
def test_the_search_for_secrets_is_work_of_the_template(tmp_path, what):
    declared, template = SECRETS[what]
    text = f'{HEAD}variables:\n  s: {{sensitive: true, {declared}}}\nadditional_info: "{template}"\n'
    assert "FS324" in {one.id for one in rendered(tmp_path, text).diagnostics}


def test_a_long_secret_is_no_work_where_it_stands_alone(tmp_path):
    secret = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))) * 4
    text = HEAD + 'variables:\n  s: {sensitive: true}\nadditional_info: "{{ s }}"\ndescription: "key {{ s }}"\n'
    document = rendered(tmp_path, text, variables={"s": secret})
    assert document.diagnostics == ()
    assert document.find(["description"]).value == f"key {secret}"


# The schema limits none of them: what api_params has is held against botocore's model when it is compiled.
UNLIMITED = {
    "a release of 5,000 digits": ("api_params: {ReleaseLabel: emr-" + "9" * 5_000 + ".1.0}", "FS226"),
    "a price of 1,000,000 digits": (
        "api_params: {Instances: {InstanceGroups: [{InstanceRole: MASTER, InstanceType: m5.xlarge, InstanceCount: 1, "
        "BidPrice: " + "1" * 1_000_000 + "x}]}}", "FS267",
    ),
    "unused variables beside many texts": (
        "variables: {" + lines(3_000, "vN: {default: x}, ") + "}\nsteps:\n  - {name: x, type: command, args: ["
        + lines(30_000, "wordN, ") + "]}", "FS307",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNLIMITED)
def test_what_the_schema_does_not_limit_takes_little_time(tmp_path, what):
    text, expected = UNLIMITED[what]
    (tmp_path / "job.yaml").write_text(f"{HEAD}defaults: recommended\n{text}\n")
    code = """
import resource
from flowspec import load, render, validate
# The kernel ends what takes longer.
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    found = validate(render(load("job.yaml"), environ={})).warnings
except Exception as error:
    found = error.diagnostics
print(*((one.id, one.message) for one in found))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout


def test_variables_that_need_each_other_in_a_long_chain(tmp_path):
    chain = "".join(f"  v{n}: {{default: '{{{{ v{n + 1} }}}}'}}\n" for n in range(3_000))
    text = f"{HEAD}variables:\n{chain}  v3000: {{default: x}}\ntags: {{a: '{{{{ v0 }}}}'}}\n"
    document = rendered(tmp_path, text)
    assert {one.id for one in document.diagnostics} == {"FS324"}
