"""The description of fields: every field of the schema has a page, and its member is one of RunJobFlow."""

import pytest

from flowspec.document import schema as schemas
from flowspec.document.checking.fields import UnknownFieldError, describe_field, find_field
from flowspec.facts.api_model import input_shape

KINDS = [name.removesuffix("_step") for name in schemas.strict()["$defs"] if name.endswith("_step")]
TOP = list(schemas.strict()["properties"])
OF_A_KIND = [f"steps.{kind}.{key}" for kind in KINDS for key in schemas.strict()["$defs"][f"{kind}_step"]["properties"]]


@pytest.mark.parametrize(
    "path", [*TOP, *OF_A_KIND, "targets.prod.region", "instance_groups.role", "variables.day.type"]
)
def test_each_field_has_a_page(path):
    page = describe_field(path)
    assert page.startswith(f"# {path}\n\n")
    assert len(page.split("\n")[2]) > 10, "a description"
    assert "\n## Example\n" in page


def test_a_page():
    assert describe_field("instance_groups.bid_price") == (
        "# instance_groups.bid_price\n\n"
        "The most to pay for a spot instance, in USD an hour. Left out: up to the on-demand price.\n\n"
        "- Type: text\n"
        "- Limits: characters, at most 256\n"
        "- Member of RunJobFlow: Instances.InstanceGroups[].BidPrice\n\n"
        '## Example\n\n```yaml\nbid_price: "0.20"\n```\n'
    )


@pytest.mark.parametrize("key", TOP)
def test_the_members_are_those_of_the_api(key):
    def check(path):
        field = find_field(path)
        if field.member:
            shape = input_shape()
            for part in field.member.split("."):
                shape = shape.members[part.removesuffix("[]")]
                shape = shape.member if part.endswith("[]") and shape.type_name == "list" else shape

    check(key)
    inner = schemas.meant(schemas.strict()["properties"][key], "object")
    items = schemas.meant(schemas.strict()["properties"][key], "array").get("items", {})
    for below in {**inner.get("properties", {}), **schemas.meant(items, "object").get("properties", {})}:
        if key not in ("steps", "targets", "variables"):
            check(f"{key}.{below}")


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("steps.name", "Steps[].Name"),
        ("steps.on_failure", "Steps[].ActionOnFailure"),
        ("steps.streaming.mapper", "Steps[].HadoopJarStep"),
        ("steps.streaming.needs", ""),
        ("steps.jar.properties.x", "Steps[].HadoopJarStep"),
        # A name that people give is in no member's name.
        ("tags.team", "Tags"),
        ("configurations.spark-defaults", "Configurations[]"),
        ("targets.prod", ""),
        ("targets.prod.steps.name", ""),
    ],
)
def test_members_of_steps_and_of_own_names(path, member):
    field = find_field(path)
    assert field.member == member
    assert len(field.schema["description"]) > 10


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("steps.mapper", "steps has no field mapper: it is a matter of the kind: steps.streaming.mapper"),
        ("instance_groups.typ", "instance_groups has no field typ: did you mean type?"),
        ("tags.a.b", "tags.a has no field b: it has no fields"),
        ("keep_alve", "there is no field keep_alve: did you mean keep_alive?"),
        ("", "there is no field "),
        ("steps..mapper", "steps has no field "),
    ],
)
def test_an_unknown_field(path, message):
    with pytest.raises(UnknownFieldError) as raised:
        describe_field(path)
    assert str(raised.value).startswith(message)
