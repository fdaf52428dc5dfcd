"""Whole scripts: bash runs them and the real AWS CLI sends their calls; the import is the same request."""

import re
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from flowspec.importers.awscli.cursor import decode_ansi_c
from tests.importers.awscli import judge
from tests.importers.common import cases, compiled, refusal, wanted

HERE = Path(__file__).parent


CASES = cases(HERE / "cases.sh.txt")
NOTES = {
    "options-by-default": [
        "adds `--auto-terminate` to $ARGS, as it does with the defaults of its variables",
        "adds `--ebs-root-volume-size 50` to $ARGS, with other values of its variables than the defaults",
        "an argument of the script sets $APPS: it is imported as it is without that",
    ],
    "case-environment": ["a branch or loop sets $CORE_TYPE to `m5.xlarge`"],
    "jq-pipeline": ["`aws emr set-termination-protection` is not imported"],
    "trap-terminates": ["the script terminates the cluster itself: here keep_alive is false"],
    "override-per-environment": ["$EXTRA stands among the options in line"],
    "settings-beside-the-script": ["${STEPS} is read as steps-prod.json: with other values of the script's variables"],
    "old-ami": ["no --region is given: the jars are those of region us-east-1"],
}


def written(files, folder):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", CASES)
def test_the_request_is_the_one_that_the_script_sends(name, tmp_path):
    first, script = next(iter(CASES[name].items()))
    calls = judge.sent(written(CASES[name], tmp_path / "run"), first, *re.findall(r"^#> (.*)", script, re.MULTILINE))
    folder = written(CASES[name], tmp_path / "read")
    script = script.replace("\n", "\r\n") if name == "windows-line-ends" else script
    source = wanted(script, folder=(folder / first).parent, name=first)
    given = dict(re.findall(r"^#= (\w+)=(.*)", script, re.MULTILINE))
    assert given.keys() == {key for key, one in source.variables.items() if one.default is None}
    values = {key: int(value) if source.variables[key].type == "integer" else value for key, value in given.items()}
    made = compiled(source, tmp_path, **values)
    made["Tags"] = sorted(made["Tags"], key=lambda tag: tag["Key"])
    assert made == judge.folded(calls)
    for note in NOTES.get(name, ()):
        assert any(note in one for one in source.notes), source.notes


@pytest.mark.parametrize(
    "script",
    [
        "KEEP=no\nread KEEP\n{}",
        "{}",
        "KEEP=$(keep_it)\n{}",
        "KEEP=no\nif other && [ $KEEP = no ]; then {}; fi",
        "KEEP=no\nif [ $KEEP = no ] || other; then {}; fi",
        "KEEP=no\nif other; then :; elif [ $KEEP = no ]; then {}; else {}; fi",
        "KEEP=no\nif other; then {}; fi",
        "KEEP=no\nfor one in $ALL; do {}; done",
        "KEEP=no\n(( $KEEP )) && A+=(--auto-terminate)",
        "KEEP=no\n[ $KEEP = no ] | other && A+=(--auto-terminate)",
        "KEEP=no\n[[ $KEEP == n* ]] && A+=(--auto-terminate)",
    ],
)
def test_an_option_whose_condition_is_not_known_is_not_imported(script):
    added = 'if [ "$KEEP" = no ]; then A+=(--auto-terminate); fi'
    script = script.replace("{}", added if script.count("\n{}") or script == "{}" else "A+=(--auto-terminate)")
    source = wanted(f'A=(--name n)\n{script}\n{_CREATE} "${{A[@]}}"')
    assert source.params["Instances"]["KeepJobFlowAliveWhenNoSteps"] is True
    assert any("adds `--auto-terminate` to $A, which is not imported" in one for one in source.notes), source.notes


def test_the_variables_of_a_condition_are_read_to_an_end():
    made = "".join(f'A{number}="$A{number - 1}$A{number - 2}"\n' for number in range(2, 19))
    chain = "".join(f"B{number}=$B{number - 1}\n" for number in range(1, 3000))
    script = f'A0=\nA1=\n{made}B0=x\n{chain}A=(--name n)\n[ -z "$A18" ] && A+=(--auto-terminate)\n[ $B2999 = x ]\n'
    source = wanted(f'{script}{_CREATE} "${{A[@]}}"')
    assert source.params["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False


@pytest.mark.parametrize(
    ("before", "after", "default"),
    [
        ("", "", None),
        ("NAME=", "", None),
        ("NAME=n\nread NAME", "", None),
        ("NAME=n", "", "n"),
        ("", "NAME=${NAME:-n}", "n"),
        ("", '[ -z "${NAME:-}" ] && exit 1', None),
        ("", 'if [ -z "$NAME" ]; then NAME=n; fi', "n"),
        ("", '[ "${NAME:-}" == "" ] && NAME=n', "n"),
        ("NAME=$1", '[[ -n "$NAME" ]] || NAME=n', "n"),
        ("NAME=$(cat name)", '[ -z "$NAME" ] && NAME=n', None),
        ("", '[ -n "$NAME" ] && NAME=n', None),
        ("", '[ "$NAME" = a ] && NAME=n', None),
    ],
)
def test_the_default_of_what_arguments_set_is_what_it_has_without_them(before, after, default):
    options = 'while getopts n: o; do case $o in n) NAME="$OPTARG";; esac; done'
    script = f'{before}\n{options}\n{after}\n{_CREATE} --name "$NAME"'
    assert wanted(script).variables["NAME"].default == default


def test_a_comment_in_a_substitution_adds_nothing():
    assert (
        wanted(f"aws emr create-cluster `# the cluster` {_CREATE.partition('create-cluster')[2]} $(# no more\n)").notes
        == ()
    )


def test_a_value_given_reaches_the_variables_that_are_made_of_it(tmp_path):
    script = (
        'ENV=${1:-dev}\nDAY=$2\nBUCKET="acme-$ENV-data"\nCOPY=$BUCKET\nNODES=3\nCORES=$NODES\n'
        "aws emr create-cluster --name nightly-$DAY --release-label emr-6.15.0 --use-default-roles "
        "--log-uri s3://$COPY/logs/$ENV/ --tags owner=$BUCKET --instance-type m5.xlarge "
        "--step-concurrency-level $CORES --bootstrap-actions Path=s3://$BUCKET/install.sh,Name=install\n"
    )
    calls = judge.sent(written({"launch.sh": script}, tmp_path / "run"), "launch.sh", "prod", "2024-01-01")
    source = wanted(script, folder=tmp_path, name="launch.sh")
    assert compiled(source, tmp_path, ENV="prod", DAY="2024-01-01") == judge.folded(calls)
    assert wanted(script, folder=tmp_path, name="launch.sh").request["LogUri"] == "s3://acme-dev-data/logs/dev/"


_CREATE = "aws emr create-cluster --name n --release-label emr-6.15.0 --instance-type m5.xlarge"


@pytest.mark.parametrize(
    ("script", "option", "note"),
    [
        (
            f'C=$(build_it)\n{_CREATE} --configurations "$C"',
            "Configurations",
            "only the shell knows what $C stands for",
        ),
        (f"jq . a > c.json\n{_CREATE} --configurations file://c.json", "Configurations", "the script writes it itself"),
        (
            f"cp a.json c.json\n{_CREATE} --configurations file://c.json",
            "Configurations",
            "the script writes it itself",
        ),
        (f"cp d/c.json .\n{_CREATE} --configurations file://c.json", "Configurations", "the script writes it itself"),
        (f"sed -i s/a/b/ s.json\n{_CREATE} --steps file://s.json", "Steps", "the script writes it itself"),
        (f"cat >s.json <<E\n[]\nE\nsed -i s/a/b/ s.json\n{_CREATE} --steps file://s.json", "Steps", "writes it itself"),
        (f"aws s3 cp s3://b/s.json . --quiet\n{_CREATE} --steps file://s.json", "Steps", "the script writes it itself"),
        (f"curl -s https://h/s -o s.json\n{_CREATE} --steps file://s.json", "Steps", "the script writes it itself"),
        (f"T=(a)\nmapfile -t T < u\n{_CREATE} --steps ${{T[@]}}", "Steps", "shell knows what $T"),
        (f"cd $X\n{_CREATE} --configurations file://c.json", "Configurations", "the script changes its folder before"),
        (f"{_CREATE} --steps file://$X.json", "Steps", "its name is known only to the shell"),
        (f"X=s.json\n{_CREATE} --steps file://$X", "Steps", "${X} is not read: no such file is below the folder"),
        (f"X=../s.json\n{_CREATE} --steps file://$X", "Steps", "${X} is not read: no such file is below the folder"),
        (f"X=$(mktemp)\necho [] >$X\n{_CREATE} --steps file://$X", "Steps", "the script writes it itself"),
        (
            f"X=$(mktemp)\ncat >$X <<E\n[]\nE\nsed -i s/a/b/ $X\n{_CREATE} --steps file://$X",
            "Steps",
            "writes it itself",
        ),
        (f'D=$(dirname "$0")/..\n{_CREATE} --steps file://$D/s.json', "Steps", "no such file is below the folder"),
        (f'cd "$(dirname "$0")/.."\n{_CREATE} --steps file://s.json', "Steps", "no such file is below the folder"),
        (f'H=$(cd "$(dirname "$0")/..")\ncd $H\n{_CREATE} --steps file://s.json', "Steps", "changes its folder before"),
        (f'cd "$(dirname $(dirname "$0"))"\n{_CREATE} --steps file://s.json', "Steps", "changes its folder before"),
        (f'D=$(dirname "$(dirname "$0")")\n{_CREATE} --steps file://$D/s.json', "Steps", "known only to the shell"),
        (f'D=$(cd "$(dirname "$0")/a"; pwd)\n{_CREATE} --steps file://$D/s.json', "Steps", "known only to the shell"),
        (f'{_CREATE} --steps "$STEPS"', "Steps", "only the shell knows what $STEPS stands for"),
        (
            f"A=()\nif x; then A+=(Name=Hive); fi\n{_CREATE} --applications ${{A[@]}}",
            "Applications",
            "shell knows what $A",
        ),
        (f"{_CREATE} --ec2-attributes $X", "Ec2SubnetId", "only the shell knows what $X stands for"),
    ],
)
def test_what_only_the_shell_knows_is_noted_and_the_rest_imported(script, option, note, tmp_path):
    source = wanted(script, folder=tmp_path)
    assert compiled(source, tmp_path)["Name"] == "n"
    assert option not in {**source.params, **source.params["Instances"]}
    assert any(one.startswith("line ") and note in one for one in source.notes), source.notes


def test_a_name_of_many_long_values_is_not_made(tmp_path):
    script = f"A={'a' * 300_000}\n{_CREATE} --steps file://{'$A' * 300}\n"
    tracemalloc.start()
    source = wanted(script, folder=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "Steps" not in source.params
    assert peak < 40_000_000


@pytest.mark.parametrize(
    "commands",
    [
        "sed s/x/y/ s.json\naws s3 cp s.json s3://b/\ncp s.json /tmp",
        "perl -Mstrict -ne print s.json\nsed -fscript.i s.json",
    ],
)
def test_a_file_that_a_command_only_reads_is_read(tmp_path, commands):
    (tmp_path / "s.json").write_text('[{"Type": "Spark", "Args": ["x"]}]')
    script = f"{commands}\n{_CREATE} --steps file://s.json"
    assert len(wanted(script, folder=tmp_path).params["Steps"]) == 1


@pytest.mark.parametrize(
    ("line", "note"),
    [
        (
            "source ./env.sh",
            "line 2: env.sh is not read, so what it sets is not imported: put its text in the place of this line",
        ),
        (
            '. "$HOME/env.sh"',
            "line 2: ${HOME}/env.sh is not read, so what it sets is not imported: put its text in the place of this line",
        ),
        ("unset N", "line 2: $N is unset; check its value"),
    ],
)
def test_a_variable_that_may_have_another_value_keeps_its_own_with_a_note(line, note):
    source = wanted(f"N=old\n{line}\n{_CREATE} --name $N")
    assert source.request["Name"] == "old"
    assert note in source.notes


def test_two_parentheses_are_arithmetic_only_if_those_within_balance():
    source = wanted(f"N=1\n(( (N <<= 2) > 1 ))\n(({_CREATE} --tags n=$N) || (exit 1))")
    assert source.params["Name"] == "n"
    assert "line 2: `((` sets $N: give its value" in source.notes


def test_an_object_in_a_variable_without_quotes_is_imported(tmp_path):
    script = f"B=acme\nS=Type=Spark,Name=agg,Args=[s3://$B/agg.py]\nT=$S\nE=KeyName=ops\n{_CREATE} --steps $T --ec2-attributes $E"
    source = wanted(script, folder=tmp_path)
    params = compiled(source, tmp_path)
    assert params["Steps"][0]["HadoopJarStep"]["Args"] == ["spark-submit", "s3://acme/agg.py"]
    assert params["Instances"]["Ec2KeyName"] == "ops"
    assert source.notes == ()
    again = wanted(f"{script}\nE=KeyName=dev", folder=tmp_path)
    assert "Ec2KeyName" not in again.params["Instances"]
    assert "only the shell knows what $E stands for" in again.notes[-1]


def test_instances_that_only_the_shell_knows_are_noted(tmp_path):
    source = wanted('aws emr create-cluster --name n --release-label emr-6.15.0 --instance-groups "$GROUPS"')
    assert "InstanceGroups" not in compiled(source, tmp_path)["Instances"]
    assert source.notes == (
        "line 1: only the shell knows what $GROUPS stands for; --instance-groups is imported without it",
    )


ANSI_C = [
    r"plain",
    r"\a\b\e\E\f\n\r\t\v\\\'\"\?",
    r"\0101\101\7x\18\777",
    r"\x41\x4g\x\xg\xc3\xa9",
    r"\u41 \u00e9\u20acx \u \U1F600 \U0001f600",
    r"\cA\ca\c? \q \8 \-",
    r"before\0after",
    r"é\x20€",
]


@pytest.mark.parametrize("text", ANSI_C)
def test_ansi_c_quotes_are_decoded_as_bash_does(text):
    script = f"printf %s $'{text}\\n'"
    made = subprocess.run(["bash", "-c", script], env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=True).stdout
    assert decode_ansi_c(f"{text}\\n") == made.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("script", "place"),
    [
        (f"{_CREATE} --log-uri 's3://acme/logs\necho done\n", (1, 96)),
        (f"# it's a comment\n{_CREATE} \\\n  --log-uri \"s3://acme/logs\n", (3, 13)),
        (f"NAME=$'it\\'s\n{_CREATE}", (1, 6)),
        (f'NAME="nightly\n{_CREATE}', (1, 6)),
        (f"echo it's\nID=$({_CREATE})\n", (1, 8)),
        (f"ID=$({_CREATE} --name 'n)\n", (1, 93)),
    ],
)
def test_a_quote_that_is_never_closed_is_refused_at_its_place(script, place):
    found = refusal(script, name="launch.sh")
    assert found.message == "this quote is never closed"
    assert (found.location.line, found.location.column) == place
    assert "close it" in found.hint


def test_a_quote_that_is_never_closed_matters_only_to_the_command():
    page = f"To begin:\n\n    {_CREATE} --name 'n'\n\nThat's it.\n"
    assert wanted(page, name="README.md").params["Name"] == "n"
    assert wanted(f"{_CREATE}\necho that's it\n").params["Name"] == "n"
    assert wanted(f"ID=$({_CREATE} --name night").params["Name"] == "night"


@pytest.mark.parametrize("script", ["A=$B\nB=$A", "A=${A:-${A:-$A}}", "A=$B\nB=$C\nC=$B"])
def test_variables_that_are_each_others_values_are_read_to_an_end(script):
    assert "A" in wanted(f"{script}\n{_CREATE} --log-uri $A").variables


def test_a_value_that_would_fill_the_memory_is_not_made():
    grown = "A=xxxxxxxxxx\n" + "A=$A$A$A$A$A$A$A$A$A$A\n" * 12
    source = wanted(f"{grown}{_CREATE} --log-uri $A")
    assert any("$A gets too long: it is a variable without a default" in one for one in source.notes), source.notes


def test_functions_and_loops_are_followed_within_bounds():
    deep = "".join(f"f{number}() {{\n f{number + 1}; f{number + 1}\n}}\n" for number in range(40))
    source = wanted(f"{deep}f40() {{\n:\n}}\nf0\n{_CREATE}")
    assert source.params["Name"] == "n"
    loops = "".join(f"for v{number} in 1 2 3 4 5 6 7 8 9; do\n" for number in range(9)) + ":\n" + "done\n" * 9
    assert wanted(f"{loops}{_CREATE}").params["Name"] == "n"
    assert wanted(f"f() {{\nf\n}}\nf\n{_CREATE}").params["Name"] == "n"
    nested = "".join(f'A{number}=\'eval "$A{number + 1}"; eval "$A{number + 1}"\'\n' for number in range(30))
    source = wanted(f'{nested}eval "$A0"\n{_CREATE}')
    assert any("what `eval` runs there is not imported" in one for one in source.notes)
    unclosed = "".join(f"f{number}() {{\n" for number in range(500))
    assert wanted(f"{unclosed}{_CREATE}").params["Name"] == "n"
