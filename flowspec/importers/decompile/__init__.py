"""The parameters of RunJobFlow -> a spec that a person would have written.

    request_file   a file of JSON -> the parameters (`read`)
    draft          parameters -> Decompiled (`decompile`): the text of a spec that compiles to exactly these parameters

A spec is returned only after it was loaded, rendered, validated and compiled, and the result was equal to the
request. What the spec's own words can't express goes to `api_params`.
"""
