"""Text -> JobFlow: what a spec says, checked, for one target.

    text        a file -> Document (`parse.load`): strict YAML, every value with its place; Document -> YAML (`dump`)
    rendering   Document -> Document for one target: overrides merged, variables resolved, loops unrolled,
                templates filled in (`render`)
    checking    Document -> JobFlow: the schema, then the rules across fields (`validate`)
    job_flow    the JobFlow
    api_form    values -> members of RunJobFlow by rule, and the place in the spec of each part of a request
    schema      the schema file in its two forms, and the schema of a key
    catalog     all diagnostics by their ids; `pages` explains each
    settings    flowspec.toml and [tool.flowspec] of pyproject.toml
    discovery   finds specs: files, folders and globs
    selection   the conditions of `--select`
    masking     keeps secrets out of what is shown
    escaping    escapes untrusted text in output
    nearest     suggests the known word that is nearest to a misspelt one

Each stage takes a value and returns another. Diagnostics are collected on the way,
so that one run reports everything: `validate` raises them together.

Importing these modules costs little: yaml, jinja2 and jsonschema are imported by the functions that need them.
"""
