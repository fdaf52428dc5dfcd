"""`flowspec report`."""

import json

GREEN = "  - {name: count, type: command, args: [bash, -c, 'echo counted']}"
RED = "  - {name: count, type: command, args: [bash, -c, 'cat /not/there']}"


def test_a_page_in_a_file_and_on_stdout(flowspec, job, tmp_path):
    path = job(GREEN)
    assert flowspec("apply", path).code == 0
    job(RED)
    assert flowspec("apply", path).code == 4
    written = flowspec("report", path, "-o", "run.html")
    assert (written.code, written.out, written.err) == (0, "", "wrote run.html\n")
    page = (tmp_path / "run.html").read_text()
    assert "cat: /not/there: No such file or directory" in page
    assert "What differs from the last successful run" in page
    shown = flowspec("report", "tiny")
    assert (shown.code, shown.err) == (0, "")
    # Nothing in it is changed on its way out: style and script have to fit the page's policy.
    assert _without_time(shown.out) == _without_time(page)


def _without_time(page):
    return [line for line in page.splitlines() if not line.startswith("<footer>")]


def test_for_programs_and_for_tickets(flowspec, job):
    path = job(RED)
    flowspec("apply", path)
    document = json.loads(flowspec("report", path, "--format", "json").out)
    assert (document["outcome"], document["diagnosis"]["cause"]["id"]) == ("step failed", "file-missing")
    assert flowspec("report", path, "--format", "markdown").out.startswith("### tiny (j-")


def test_sensitive_variables_are_masked(flowspec, job, tmp_path):
    step = "  - {name: count, type: command, args: [bash, -c, 'echo $0 >&2; exit 3', '{{ word }}']}"
    path = job(step, more="variables: {word: {type: string, sensitive: true}}")
    flowspec("apply", path, "--var", "word=open sesame")
    for words in ([path, "--var", "word=open sesame"], ["tiny"]):
        for format_ in ("html", "json", "markdown"):
            assert "sesame" not in flowspec("report", *words, "--format", format_).out


def test_what_can_not_be_written_is_an_error(flowspec, job):
    path = job(GREEN)
    flowspec("apply", path)
    failed = flowspec("report", path, "-o", "nowhere/run.html")
    assert (failed.code, "nowhere/run.html: its folder is not there" in failed.err) == (1, True)


def test_no_such_run(flowspec):
    failed = flowspec("report", "nobody")
    assert (failed.code, failed.out) == (2, "")
    assert "no cluster called 'nobody'" in failed.err
