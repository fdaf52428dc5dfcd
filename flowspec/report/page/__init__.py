"""A run as one HTML page that needs nothing else, and the same pages as a site of the embedded EMR.

run_report  reads a run: what it was, how it ended and why
baseline    the last run of the same flow that succeeded, and what was different then
timeline    when the parts of a run began and ended
tails       the ends of logs, with the lines that tell the cause
named_secrets  what names say is secret, though no spec does
view        a report → the texts, numbers and lists that its template shows
markdown    the same in short, for a ticket
html        these → HTML, by the templates; the only place of the package that knows HTML
site        paths → pages, for the endpoint of the embedded EMR
"""
