"""JobFlow -> the parameters of RunJobFlow, and the local files that they name.

    compile        JobFlow -> Request: pure, except that it reads the local files to be hashed
    shapes/        members with a friendlier shape in the spec than in the API: one module per shape, both directions
    steps/         kinds of steps: one module per kind, both directions
    data           the data that each part of a request reads and writes; `graph`: which step reads what another writes
    instances      the instances of a request in one form: groups, and the market of each
    selection      a run of some of the steps only
    snapshot       plain data in a frozen dataclass that nobody can change
    public_form    a request without its secrets, for digests that others may see
    pairs          mappings <-> lists of Key and Value
    assets         local files: found beside the spec, hashed, and given the URI that they will have
    archives       folders packed into archives, the same bytes for the same content
    packages       archives of Python packages: named by what decides their content, and packed by `apply`
    requirements   requirements files of pip
    secret_scan    refuses to upload files that hold private keys or AWS credentials
    policy         an organisation's JSON Schema, checked against the compiled request
    origins        finds the place in the spec of a part of a request

A request contains exactly what the spec asks for, in the API's words; its digest is its identity.
"""
