"""A run as one HTML page that needs nothing else, and the same pages as a site of the embedded EMR.

    run_report     reads a run (`run_facts`): what it was, how it ended and why; gives it in all forms
    paid           what it has cost
    timeline       when its parts began and ended; `bootstrap`: when the bootstrap actions did
    details        the steps that are worth a look, with their counters and the ends of their logs (`tails`)
    baseline       the last run of the same flow that succeeded, and what was different then
    named_secrets  what names say is secret, though no spec does
    view           a report → the texts, numbers and lists that its template shows
    html           these → HTML, by the templates
    markdown       the same in short, for a ticket
    site           paths → pages, for the endpoint of the embedded EMR

Only the templates know HTML, and only `html` knows jinja2.
"""
