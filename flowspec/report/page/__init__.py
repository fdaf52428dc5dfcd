"""A run that was read (`flowspec.inspection`) as one HTML page that needs nothing else.

    run_report     a run in all forms
    paid           what it has cost
    view           a run → the texts, numbers and lists that its template shows
    html           these → HTML, by the templates
    markdown       the same in short, for a ticket

Only the templates know HTML, and only `html` knows jinja2.
"""
