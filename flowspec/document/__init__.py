"""Text -> JobFlow: what a spec says, checked, for one target.

    parse       a file -> Document (`load`): strict YAML, every value with its place
    render      Document -> Document for one target: overrides merged, variables resolved, loops unrolled,
                templates filled in
    validate    Document -> JobFlow: the schema, then the rules across fields
    dump        Document -> YAML text

Each takes a value and gives another; none reads what another wrote. Diagnostics are collected on the way,
so that one run reports everything: `validate` raises them together.

Importing these modules costs little: yaml, jinja2 and jsonschema are imported by the functions that need them.
"""
