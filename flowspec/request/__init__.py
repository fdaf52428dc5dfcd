"""JobFlow -> the parameters of RunJobFlow, and the local files that they name.

    compile        JobFlow -> Request: pure, except that it reads the local files to be hashed
    assets         local files: found beside the spec, hashed, and given the URI that they will have
    archives       folders packed into archives, the same bytes for the same content
    secret_scan    refuses to upload files that hold private keys or AWS credentials
    policy         an organisation's JSON Schema, checked against the compiled request
    origin         a place in the request -> the place in the spec

A request says exactly what the spec says, in the API's words; its digest is its identity.
"""
