"""The parameters of RunJobFlow -> a spec as a person would write it.

    request_file   a file of JSON -> the parameters (`read`)
    draft          the parameters -> `Decompiled`, the text of a spec that compiles to exactly these (`write_spec`)
    fields         members of a request -> keys of a spec, along the schema
    steps          StepConfig -> a step, by the kinds of `request.steps`
    redact         secrets -> variables
    remarks        comments on what is odd in an imported spec
    text           keys and comments -> YAML

A spec is returned only after it was loaded, rendered, validated and compiled, and the result was equal to the
request. Members that no key of the spec can express go to `api_params`.
"""
