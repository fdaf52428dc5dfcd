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
        "The maximum price of a spot instance, in USD per hour; not with `market: ON_DEMAND`. "
        "EMR's default is the on-demand price.\n\n"
        "- Type: text\n"
        "- Limits: at most 256 characters\n"
        "- Member of RunJobFlow: Instances.InstanceGroups[].BidPrice\n\n"
        '## Example\n\n```yaml\nbid_price: "0.20"\n```\n'
    )


@pytest.mark.parametrize(
    ("path", "limits"),
    [
        ("instance_groups.type", "1 to 256 characters"),
        ("step_concurrency_level", "1 to 256"),
        ("instance_groups.count", "at least 0"),
        ("steps.streaming.needs", "at least 1 item"),
    ],
)
def test_limits_are_a_range(path, limits):
    assert f"- Limits: {limits}\n" in describe_field(path)


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
    inner = schemas.resolve_schema(schemas.strict()["properties"][key], "object")
    items = schemas.resolve_schema(schemas.strict()["properties"][key], "array").get("items", {})
    for below in {**inner.get("properties", {}), **schemas.resolve_schema(items, "object").get("properties", {})}:
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
    ("path", "message", "remedy"),
    [
        ("steps.mapper", "steps has no field mapper", "it is a field of a kind of step: steps.streaming.mapper"),
        ("steps.streaming.maper", "steps.streaming has no field maper", "did you mean mapper?"),
        (
            "steps.streaming.input_",
            "steps.streaming has no field input_",
            "did you mean input, input_reader or input_format?",
        ),
        ("tags.a.b", "tags.a has no field b", "it has no fields; `flowspec explain tags.a` shows what it takes"),
        ("keep_alve", "the spec has no field keep_alve", "did you mean keep_alive?"),
        ("timeout", "the spec has no field timeout", "did you mean steps.timeout?"),
        ("mapper", "the spec has no field mapper", "did you mean steps.streaming.mapper?"),
        ("streaming", "the spec has no field streaming", "did you mean steps.streaming?"),
        ("bogus", "the spec has no field bogus", "`flowspec explain` lists its fields"),
        ("steps.bogus", "steps has no field bogus", "`flowspec explain steps` lists its fields"),
        ("", "the spec has no field ''", "`flowspec explain` lists its fields"),
        ("steps..mapper", "steps has no field ''", "`flowspec explain steps` lists its fields"),
    ],
)
def test_an_unknown_field(path, message, remedy):
    with pytest.raises(UnknownFieldError) as raised:
        describe_field(path)
    assert (raised.value.message, raised.value.remedy) == (message, remedy)
