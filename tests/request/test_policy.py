import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from referencing.exceptions import Unresolvable

from flowspec.document.checking.validate import schema_violations, validate
from flowspec.document.text.parse import load
from flowspec.errors import SpecError
from flowspec.request.compile import compile
from flowspec.request.policy import read, violations

SPEC = """\
flowspec: v1
name: etl
release_label: emr-6.15.0
tags: {owner: me}
instance_groups:
  - {role: MASTER, type: m5.xlarge}
  - {role: CORE, type: p4d.24xlarge, count: 100, bid_price: "9", market: SPOT}
steps:
  - {name: load, type: command, args: [load, --password=x]}
"""


@pytest.fixture
def against(tmp_path):
    """Returns the violations of a policy by SPEC: [(line, column, message, hint, first note)]."""

    def hold(policy, spec=SPEC, name="policy.yaml"):
        (tmp_path / name).write_text(policy)
        (tmp_path / "job.yaml").write_text(spec)
        flow = validate(load(tmp_path / "job.yaml"), emr_rules=False)
        found = violations(read(tmp_path / name), flow, compile(flow))
        assert {one.id for one in found} <= {"FS601"}
        return [
            (one.location.line, one.location.column, one.message, one.hint, one.notes[0].rpartition(": ")[2])
            for one in found
        ]

    return hold


def test_a_violation_is_shown_where_the_value_came_from_with_the_policys_own_words(against):
    types = "properties: {Instances: {properties: {InstanceGroups: {items: {properties: {InstanceType: {enum: [m5.xlarge], description: Only m5.}}}}}}}"
    assert against(types) == [
        (7, 24, 'Instances.InstanceGroups[1].InstanceType: "p4d.24xlarge" is not allowed', '"m5.xlarge"', "Only m5.")
    ]


def test_what_is_missing_is_shown_at_the_nearest_place(against):
    assert against("required: [LogUri]") == [(1, 1, "the request: LogUri is missing", "", "required")]
    tagged = "properties: {Tags: {contains: {properties: {Key: {const: team}}}, title: Say who pays}}"
    assert against(tagged) == [(4, 7, "Tags: no item matches the policy's `contains`", "", "Say who pays")]


@pytest.mark.parametrize(
    ("policy", "line", "message", "hint"),
    [
        ("InstanceCount: {maximum: 20}", 7, "InstanceCount: 100 is not allowed", "up to 20"),
        ("InstanceCount: {exclusiveMaximum: 100}", 7, "InstanceCount: 100 is not allowed", "less than 100"),
        ("BidPrice: false", 7, 'BidPrice: "9" is forbidden by the policy', ""),
        ("BidPrice: {minLength: 2}", 7, "BidPrice: 1 characters", "at least 2"),
        ("BidPrice: {type: [number, 'null']}", 7, 'BidPrice: "9" is not allowed', "of type number or null"),
        ("Market: {const: ON_DEMAND}", 7, 'Market: "SPOT" is not allowed', '"ON_DEMAND"'),
        ("Market: {not: {const: SPOT}}", 7, 'Market: "SPOT" is forbidden by the policy', ""),
        ("Market: {anyOf: [{const: A}, {const: B}]}", 7, 'Market: "SPOT" is not allowed here', ""),
        ("Market: {if: {const: SPOT}, then: false}", 7, 'Market: "SPOT" is not allowed here', ""),
    ],
)
def test_each_word_of_json_schema_is_told_in_words(against, policy, line, message, hint):
    groups = f"properties: {{Instances: {{properties: {{InstanceGroups: {{items: {{properties: {{{policy}}}}}}}}}}}}}"
    assert [
        (found[0], found[2].removeprefix("Instances.InstanceGroups[1]."), found[3]) for found in against(groups)
    ] == [(line, message, hint)]


def test_a_member_that_no_property_allows_is_named(against):
    closed = "properties: {Instances: {properties: {InstanceGroups: {}}, additionalProperties: false}}\nadditionalProperties: true"
    assert against(closed, SPEC + "keep_alive: true\n") == [
        (
            10,
            13,
            "Instances.KeepJobFlowAliveWhenNoSteps: the policy does not allow this",
            "",
            "properties/Instances/additionalProperties",
        )
    ]  # fmt: skip


def test_what_is_a_key_in_the_spec_is_shown_as_one(against):
    keys = "properties: {Tags: {items: {properties: {Key: {const: team}}}}}"
    assert against(keys) == [
        (4, 8, 'Tags[0].Key: "owner" is not allowed', '"team"', "properties/Tags/items/properties/Key/const")
    ]


def test_an_argument_is_found_in_its_step(against):
    secret = "properties: {Steps: {items: {properties: {HadoopJarStep: {properties: {Args: {items: {not: {pattern: password}}}}}}}}}"
    assert against(secret)[0][:2] == (9, 46)


def test_a_policy_can_be_json_and_refer_to_itself(against):
    schema = {
        "$defs": {"release": {"pattern": "^emr-7[.]"}},
        "properties": {"ReleaseLabel": {"$ref": "#/$defs/release"}, "Name": {"$ref": "#name"}},
        "anyOf": [{"$anchor": "name", "maxLength": 8}],
    }
    assert [one[0] for one in against(json.dumps(schema, indent="\t"), name="policy.json")] == [3]


def test_secrets_are_masked(against):
    spec = SPEC.replace("name: etl", "name: etl\nvariables: {who: {sensitive: true, default: hunter2}}").replace(
        "owner: me", 'owner: "{{ who }}"'
    )
    found = against("properties: {Tags: {items: {properties: {Value: {maxLength: 1, enum: [x]}}}}}", spec)
    assert len(found) == 2
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("name", "text", "place", "message"),
    [
        ("p.yaml", "- a", ":1:1", "a policy is a JSON Schema: a mapping"),
        ("p.yaml", "", ":1:1", "a policy is a JSON Schema: a mapping"),
        ("p.yaml", "flowspec: v1\nname: x", ":1:1", "this is a spec, not a policy"),
        ("p.yaml", "a: [", ":1:5", "not YAML"),
        ("p.yaml", "a: 1\na: 2", ":2:1", "the key 'a' is given twice"),
        ("p.json", '{"a": 1,\n x}', ":2:2", "this is not JSON: Expecting property name"),
        ("p.json", "[" * 200_000, ":1:1", "this is nested too deeply"),
        ("p.json", f'{{"minimum": {"1" * 5000}}}', ":1:1", "this is nested too deeply, or has too long a number"),
        ("p.yaml", "properties: 4", ":1:1", "this is not a JSON Schema: properties: 4 is not of type 'object'"),
        ("p.yaml", "properties: {A: {type: text}}", ":1:1", "this is not a JSON Schema: properties/A/type"),
        ("p.yaml", "properties: {A: {pattern: '('}}", ":1:1", "'(' is not a 'regex'"),
        ("p.yaml", "patternProperties: {'[': {}}", ":1:1", "'[' is not a 'regex'"),
        ("p.yaml", "$ref: http://example.com/x.json", ":1:7", "'http://example.com/x.json' leads to nothing in"),
        ("p.yaml", "$ref: other.yaml#/a", ":1:7", "'other.yaml#/a' leads to nothing in the file"),
        ("p.yaml", "type: object\n$ref: '#/$defs/x'", ":2:8", "leads to nothing in the file"),
        ("p.yaml", "$ref: '#nowhere'", ":1:8", "leads to nothing in the file"),
        ("p.yaml", "$dynamicRef: '#nowhere'", ":1:15", "leads to nothing in the file"),
        ("p.json", '{"$defs": {\n"a": {"$id": "urn:a", "$ref": "#/b"}}, "b": {}}', ":2:32", "leads to nothing in"),
        ("p.yaml", "{$ref: '#/x/a', x: {a: {$ref: urn:z}}}", ":1:31", "leads to nothing in the file"),
        ("p.yaml", "{$ref: '#/x/a', x: {a: 3}}", ":1:9", "leads to nothing in the file"),
        ("p.yaml", "{$ref: '#/x/a/b', x: {a: true}}", ":1:9", "leads to nothing in the file"),
        ("p.yaml", "{$ref: '#/allOf/b', allOf: [true]}", ":1:9", "leads to nothing in the file"),
        ("p.yaml", "$schema: 5", ":1:1", "this is not a JSON Schema: $schema"),
        ("p.json", '{"not":' * 900 + "{}" + "}" * 900, ":1:1", "this is nested too deeply"),
        ("none.yaml", None, ":1:1", "no such file"),
    ],
)
def test_a_policy_that_can_not_be_used_is_said_to_be(tmp_path, name, text, place, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SpecError) as caught:
        read(tmp_path / name)
    (found,) = caught.value.diagnostics
    assert str(found.location) == f"{tmp_path / name}{place}"
    assert message in found.message
    assert found.id in {"FS602", "FS003", "FS006"}


def test_a_policy_that_never_ends_is_said_to(against):
    with pytest.raises(SpecError, match="refers to itself without end"):
        against("$defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}\n$ref: '#/$defs/a'")


def test_references_to_what_has_an_id_of_its_own(against):
    schema = {
        "$defs": {"short": {"$id": "https://acme.example/short", "$anchor": "s", "maxLength": 2}},
        "properties": {
            "Name": {"$ref": "https://acme.example/short"},
            "ReleaseLabel": {"$ref": "https://acme.example/short#s"},
        },
        "enum": [{"$ref": "no reference, but data"}],
    }
    assert sorted(one[0] for one in against(json.dumps(schema), name="policy.json")) == [1, 2, 3]


@pytest.mark.parametrize(("word", "draft"), [("$ref", "2020-12"), ("$dynamicRef", "2020-12"), ("$ref", "2019-09")])
def test_nothing_is_fetched(tmp_path, word, draft):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}/x.json"
        policy = {
            "$schema": f"https://json-schema.org/draft/{draft}/schema",
            "$defs": {"a": {"$id": uri.replace("x.json", "a.json"), word: "x.json"}},
            word: uri,
        }
        (tmp_path / "p.json").write_text(json.dumps(policy))
        with pytest.raises(SpecError, match="leads to nothing in the file"):
            read(tmp_path / "p.json")
        # Not even when it is asked about data straight away.
        with pytest.raises(Unresolvable):
            list(schema_violations({}, {word: uri, "$schema": policy["$schema"]}))
        server.shutdown()
    assert asked == []
