"""Time and memory of hostile templates: each runs in a process of its own, under limits that the kernel holds.

A template is filled in again and again, as 10 MB of spec could, until the budget of the document is used up. The
kernel kills what takes more than two seconds of CPU; memory is the process's peak.
"""

import json
import subprocess
import sys

import pytest

SECONDS, MEGABYTES = 2, 300

PROGRAM = """
import json, os, resource, sys
from flowspec.document.rendering.budget import Budget
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.templates import evaluate

deep = [1]
for number in range(40):
    deep = [deep, number]
NAMES = {
    "n": 8, "s": "ab c-d <b>&' é " * 6600, "words": "a " * 49000, "l": list(range(9999)), "t": [f"item {i}" for i in range(9999)],
    "d": {f"k{i}": i for i in range(9999)}, "u": [{"a": {"b": i % 7}, "c": f"x{i}"} for i in range(5000)],
    "big": [k * (2**61 - 1) for k in range(900)], "long": "x" * 99999, "tags": "<!---->" * 14000, "at": "@" * 9990,
    "par": "(" * 9990, "digits": "9" * 90000, "astral": "\\U0001f600" * 90000, "lines": "\\n" * 99999, "deep": deep,
}
evaluate("{{ n + 1 }}{% for a in l %}{% endfor %}", NAMES)  # imports all that is needed

def attack(text):
    budget, count = Budget(), 0
    while True:
        try:
            evaluate(text.replace("COUNT", str(count)), NAMES, budget)
        except TemplateError as error:
            if "this document" in error.message:
                return error.message
        except BaseException as error:
            return f"raised {type(error).__name__}"
        count += 1

for text in json.load(sys.stdin):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        said = attack(text)
        used = resource.getrusage(resource.RUSAGE_SELF)
        os.write(writing, json.dumps([said, used.ru_utime + used.ru_stime, used.ru_maxrss // 1000]).encode())
        os._exit(0)
    os.close(writing)
    said = b"".join(iter(lambda: os.read(reading, 65536), b""))
    os.close(reading)
    os.waitpid(child, 0)
    print(json.dumps([text[:80], *(json.loads(said) if said else ["killed", SECONDS, 0])]), flush=True)
"""

# The values that are dearest for each kind of filter.
VALUES = {
    "text": ("s", "tags", "par", "astral", "lines", "deep"),
    "numbers": ("digits", "astral", "l"),
    "lists": ("words", "t", "d", "u", "big", "deep"),
    "others": ("s", "l", "u", "astral", "deep"),
}
FILTERS = {
    "text": "capitalize center(99999) e forceescape indent(0) indent('',true,true) lower replace('x','y') replace('','') "
    "safe string striptags title trim truncate(5) upper urlencode urlize wordcount wordwrap wordwrap(1) wordwrap(2,true,'') xmlattr "
    "b64encode basename dirname regex_replace('x*','y') regex_search('(a|b)*c') format(1)",
    "numbers": "abs filesizeformat float int int(0,16) round round(300) days(1) strftime('%Y')",
    "lists": "batch(3) batch(9999,'x') dictsort groupby(0) groupby('a.b') items join join(',') list map('upper') map(attribute='a') map('length') "
    "map('list') map('tojson') map('pprint') map('string') max min reject('odd') rejectattr('a') reverse select('odd') select selectattr('a') "
    "slice(3) slice(9999) sort sort(attribute='a.b') sum sum(attribute='a.b') unique unique(attribute='a.b')",
    "others": "attr('x') count d('x') default first last length pprint tojson tojson(indent=2) to_yaml",
}
LOOP = "{% for a in l %}BODY{% endfor %}"
ATTACKS = {f"filters of {kind}": [f"{{{{ ({v} | {f}) is none }}}}" for f in names.split() for v in VALUES[kind]] for kind, names in FILTERS.items()} | {
    "loops": [
        "{% for a in l %}{% endfor %}", "{% for a in l if a > 99999 and a < 9 or a == 4 %}{% endfor %}", LOOP.replace("BODY", LOOP.replace("BODY", "")),
        LOOP.replace("BODY", LOOP.replace("BODY", LOOP.replace("BODY", "{{ a }}"))), LOOP.replace("BODY", "{{ long }}"), LOOP.replace("BODY", "x" * 9000), LOOP.replace("BODY", "{% if n %}{% endif %}" * 400),
        LOOP.replace("BODY", "{{ n }}" * 900), LOOP.replace("BODY", "{% set x = n %}" * 500), LOOP.replace("BODY", "{{ loop.index }}{{ loop.last }}{{ loop.length }}{{ loop.previtem is defined }}"),
        LOOP.replace("BODY", "{{ loop.changed(u) }}"), LOOP.replace("BODY", "{{ loop.cycle(1, 2) }}"), "{% for a in [l, [l]] recursive %}{{ loop(a) if a is iterable else '' }}{% endfor %}",
        "{% for a, b in d.items() %}{{ a }}{{ b }}{% endfor %}", "{% for a in long %}{{ a }}{% endfor %}", "{{ range(9999) | map('string') | map('upper') | join | length }}",
        "{{ [l, l, l, l, l, l, l, l, l, l] | map('sum') | sum }}", "{{ [l, l, l, l, l, l, l, l, l, l] | map('tojson') | map('length') | sum }}",
    ],
    "macros": [
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(50) }}",
        "{% macro f(a=" + "1 if n else " * 1500 + "1) %}{% endmacro %}{% for i in l %}{{ f() }}{% endfor %}", "{% macro f() %}{{ long }}{% endmacro %}{% for i in l %}{{ f() is none }}{% endfor %}",
        "{% macro f() %}{{ caller() }}{% endmacro %}{% for i in l %}{% call f() %}{{ s }}{% endcall %}{% endfor %}", "{% macro f() %}{{ varargs | length }}{% endmacro %}{% for i in l %}{{ f(*l) }}{% endfor %}",
    ],
    "sets": [
        LOOP.replace("BODY", "{% set x %}{{ s }}{% endset %}"), LOOP.replace("BODY", "{% filter upper %}{{ s }}{% endfilter %}"), LOOP.replace("BODY", "{% with b = a %}{% endwith %}"),
        "{% set ns = namespace(a='x') %}" + LOOP.replace("BODY", "{% set ns.a = ns.a + ns.a %}"), "{% set ns = namespace(a=[1]) %}" + LOOP.replace("BODY", "{% set ns.a = [ns.a, ns.a] %}") + "{{ ns.a | length }}",
        "{% set ns = namespace(a=(1,)) %}" + LOOP.replace("BODY", "{% set ns.a = (ns.a, ns.a) %}") + "{{ {ns.a: 1} }}", "{% set ns = namespace(a=[1]) %}{% for i in range(16) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a == ns.a[:] }}",
        "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a | pprint }}", LOOP.replace("BODY", "{% set x = [" + "n," * 2000 + "] %}"), LOOP.replace("BODY", "{% set x = {" + "n:n," * 1500 + "} %}"),
        LOOP.replace("BODY", "{% set x = [0] * 9999 %}"), LOOP.replace("BODY", "{% set x = 'x' * 99999 %}"), LOOP.replace("BODY", "{% set x = long[1:] %}"), LOOP.replace("BODY", "{% set x = l[::-1] %}"),
        "{% set ns = namespace(a=[]) %}" + LOOP.replace("BODY", "{% set ns.a = ns.a + [long ~ a] %}"),
    ],
    "operators": [
        LOOP.replace("BODY", one) for one in (
            "{{ n in l }}", "{{ ('x' * 5000 ~ 'y') in long }}", "{{ u == u[:] }}", "{{ l + [1] == 0 }}", "{{ n < n" + " < n" * 400 + " }}", "{{ 'a' ~ long == '' }}", "{{ '%0999d' % 1 }}", "{{ '%(a)s%(a)s' % {'a': long} }}",
            "{{ '{:999}'.format(1) }}", "{{ 2 ** 200 * 2 ** 50 }}", "{{ s.upper() == '' }}", "{{ s.split() == '' }}", "{{ s.replace('a', 'b') == '' }}", "{{ ','.join(t) == '' }}", "{{ d.items() == 0 }}", "{{ long.expandtabs() == '' }}",
            "{{ s.title() == '' }}", "{{ s.count('zz') }}", "{{ astral.casefold() == '' }}", "{{ cycler(1, 2).next() }}", "{{ range(9999) == 0 }}", "{{ dict(d) == 0 }}", "{{ n is odd }}{{ s is lower }}{{ n is in l }}",
        )
    ],
    "numbers and widths": [
        "{{ 9 ** 9 ** 9 ** 9 }}", "{{ 10 ** (10 ** 9) }}", "{{ 2 ** -(10 ** 60) }}", "{{ 'a' * 10 ** 12 }}", "{{ [0] * 10 ** 12 }}", "{{ (1,) * 10 ** 12 }}", "{{ range(10 ** 18) }}", "{{ '%999999999d' % 1 }}", "{{ '%*d' % (10 ** 9, 1) }}",
        "{{ '{:999999999}'.format(1) }}", "{{ '{:{}}'.format(1, 10 ** 9) }}", "{{ 'x' | center(10 ** 12) }}", "{{ 'x\ny' | indent(10 ** 12) }}", "{{ 'x'.zfill(10 ** 12) }}", "{{ '\t'.expandtabs(10 ** 12) }}", "{{ l | batch(10 ** 12, 0) }}",
        "{{ l | slice(10 ** 12) | list }}", "{{ 1.5 | round(10 ** 9) }}", "{{ 5 | round(-(10 ** 9)) }}", "{{ 5 | round(10 ** 9, 'ceil') }}", "{{ l | tojson(indent=10 ** 9) }}", "{{ deep | tojson(indent=10 ** 6) }}", "{{ " + "9" * 5000 + " }}",
        "{{ 0x" + "f" * 90000 + " }}", "{{ ('9' * 90000) | int }}", "{{ ('f' * 90000) | int(0, 16) }}", "{{ ('1' * 90000) | float }}", "{{ ds | default('2026-11-22') | days(10 ** 12) }}", "{{ 'x' | wordwrap(10 ** 12) }}", "{{ long | wordwrap(0) }}",
        "{{ 'a,b' | map(attribute='" + "9" * 5000 + "') | list }}", "{{ l | map(attribute='" + "a." * 20000 + "a') | list }}", "{{ u | sort(attribute='" + "a," * 5000 + "a') | list }}", "{{ 1e999 }}", "{{ 1e308 * 10 }}",
    ],
    "texts to compile": [
        "{{ n + COUNT }}", "{% if n %}COUNT{% endif %}", "{{ nope_COUNT }}", "{{ n | nope_COUNT }}", "{{ n +COUNT + }}", "{% if COUNT", "a{{ n }}COUNT", "{{ d.kCOUNT }}", "{% for a in l %}{% endfor %}COUNT",
        "{% if 1 %}{% endif %}COUNT" + "".join(f"{{% if a{i} %}}{{% set b{i} = 1 %}}{{% endif %}}" for i in range(1000)), "COUNT{% if a %}" + "{% elif b %}x" * 8000 + "{% endif %}", "COUNT{% if a %}" + "{% elif b %}x" * 900 + "{% endif %}",
        "{{ COUNT" + "(" * 20000 + ")" * 20000 + " }}", "{{ COUNT" + " + 1" * 9000 + " }}", "{{ COUNT" + " ~ a" * 9000 + " }}", "{% set x = [COUNT" + ",1" * 20000 + "] %}", "{{ '" + "COUNT" * 10000 + "' }}", "COUNT" * 12000 + "{{ n }}",
        "COUNT" * 12000 + "{% if n %}{% endif %}", "COUNT" + "{# a #}" * 9000 + "{{ a }}", "COUNT{{ " + " " * 90000 + "1 }}", "{{ COUNT" + "_1" * 40000 + " }}", "COUNT" + "{% for a in b %}" * 30 + "{% endfor %}" * 30, "COUNT" + "{{" * 40000,
        "COUNT" + "{ " * 40000 + "{{ a }}", "COUNT{{ \"" + "a" * 90000, "COUNT" + "".join(f"{{% macro a{i}(x, y) %}}{{{{ x }}}}{{% endmacro %}}" for i in range(1200)), "{% call f() %}COUNT{% endcall %}" * 1500, "{{ COUNT" + " | abs" * 8000 + " }}",
        "{{ f(" + ",".join(f"a{i}=COUNT" for i in range(2000)) + ") }}", "{{ 'x' | regex_replace('(a+)+$COUNT', 'b') }}", "{{ long | regex_search('(x+x+)+yCOUNT') }}", "{{ long | regex_replace('x{1,500}COUNT', 'b') }}",
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", ATTACKS)
def test_no_template_costs_more_than_two_seconds_and_300_megabytes(kind):
    program = PROGRAM.replace("(SECONDS, SECONDS)", f"({SECONDS}, {SECONDS})").replace("SECONDS, 0]", f"{SECONDS}, 0]")
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(ATTACKS[kind]), capture_output=True, text=True, check=True
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(ATTACKS[kind])
    assert [one for one in results if "this document" not in one[1] or one[3] > MEGABYTES] == []
