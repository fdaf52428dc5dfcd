"""Jinja for templates from untrusted sources. The only package that uses jinja2.

    compiler  text → Python function: jinja2's parser and code generator, with a count of work at every block
    sandbox   what a compiled template can reach: jinja2's sandbox, and above it a table of what is allowed
    running   a compiled template and names → its value, or an error in terms of the spec
    filters   jinja2's filters and tests, each with its maximum of work and text
    methods   the methods of texts, lists and mappings, and the functions, likewise
    extras    the filters that jinja2 lacks: regular expressions, YAML, Base64, paths, dates
    sizes     how large values are, and how large they may be

Nothing here is imported before a template needs it: `flowspec.document.rendering.templates` fills in names by itself.
"""
