"""Comments and issues, against a stand-in of GitHub's API on this machine."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from flowspec.cli.github import GitHub, close_issues, from_environment, post_comment, post_issue, pull_request
from flowspec.errors import FlowspecError
from flowspec.report.reviews import MARKER
from tests.endpoints import serving
from tests.review.conftest import repo, spec  # noqa: F401 - a fixture

US = "github-actions[bot]"
PAGE = 2


class Api(ThreadingHTTPServer):
    """Holds comments and issues; lists them in pages of two; fails as often as told."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments, self.issues, self.calls = [], [], []
        self.failures, self.read_only, self.elsewhere, self.login = [], False, False, None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def github(self):
        return GitHub("acme/jobs", "t0ken", self.url, first_wait=0.001)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, code, value, **headers):
        body = json.dumps(value).encode()
        self.send_response(code)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        api, parts = self.server, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        api.calls.append((self.command, self.path))
        if self.headers["Authorization"] != "Bearer t0ken":
            return self.answer(401, {"message": "Bad credentials"})
        if parts.path == "/user":
            return (
                self.answer(200, {"login": api.login})
                if api.login
                else self.answer(403, {"message": "Resource not accessible by integration"})
            )
        if api.failures:
            failure = api.failures.pop(0)
            if isinstance(failure, bytes):
                self.close_connection = True
                return self.wfile.write(failure)
            return self.answer(failure, {"message": "unicorn"})
        items = api.comments if "comments" in parts.path else api.issues
        if self.command == "GET":
            return self.page([one for one in items if one.get("state") != "closed"], parts)
        if api.read_only:
            return self.answer(403, {"message": "Resource not accessible by integration"})
        if self.command == "POST":
            number = len(items) + 1
            items.append(
                {
                    "id": number,
                    "number": number,
                    "user": {"login": api.login or US},
                    "html_url": f"{api.url}/{number}",
                    **body,
                }
            )
            return self.answer(201, items[-1])
        (item,) = (one for one in items if one["id"] == int(parts.path.rsplit("/", 1)[1]))
        item.update(body)
        return self.answer(200, item)

    def page(self, items, parts):
        number = int(parse_qs(parts.query).get("page", ["1"])[0])
        more = len(items) > number * PAGE
        host = "http://elsewhere.invalid" if self.server.elsewhere else self.server.url
        link = {"Link": f'<{host}{parts.path}?page={number + 1}>; rel="next"'} if more else {}
        self.answer(200, items[(number - 1) * PAGE : number * PAGE], **link)

    do_GET = do_POST = do_PATCH = handle_any  # noqa: N815 - http.server's names


@pytest.fixture
def api():
    with serving(Api()) as server:
        yield server


def item(number, login, body="", **more):
    return {
        "id": number,
        "number": number,
        "user": login and {"login": login},
        "body": body,
        "html_url": f"u/{number}",
        **more,
    }


def test_the_comment_is_written_once_and_then_updated(api):
    post_comment(api.github(), 7, f"{MARKER}\none", MARKER)
    post_comment(api.github(), 7, f"{MARKER}\ntwo", MARKER)
    assert [one["body"] for one in api.comments] == [f"{MARKER}\ntwo"]


def test_our_comment_is_found_on_a_later_page_and_others_are_left_alone(api):
    api.comments = [
        item(1, "eve", MARKER),
        item(2, None, MARKER),
        item(3, US, "hello"),
        item(4, "bob", None),
        item(5, US, MARKER),
    ]
    assert post_comment(api.github(), 7, f"{MARKER}\nnew", MARKER) == "u/5"
    assert [one["body"] for one in api.comments] == [MARKER, MARKER, "hello", None, f"{MARKER}\nnew"]


def test_a_token_of_a_user_updates_the_comment_of_that_user(api):
    api.login = "robot"
    api.comments = [item(1, US, MARKER), item(2, "robot", MARKER)]
    assert post_comment(api.github(), 7, f"{MARKER}\nnew", MARKER) == "u/2"


def test_the_token_does_not_go_to_another_host(api):
    api.elsewhere = True
    api.comments = [item(number, "eve") for number in range(1, 4)]
    with pytest.raises(FlowspecError, match="another host"):
        post_comment(api.github(), 7, MARKER, MARKER)


@pytest.mark.parametrize(
    "failures",
    [[502, 503, 500], [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["]],
    ids=["failing", "cut"],
)
def test_a_server_that_fails_or_whose_answers_are_cut_is_asked_again(api, failures):
    api.failures = failures
    post_comment(api.github(), 7, MARKER, MARKER)
    assert len(api.comments) == 1


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"])
def test_what_may_have_been_written_is_not_written_again(api, cut):
    api.failures = [cut]
    with pytest.raises(FlowspecError, match="GitHub did not answer POST /repos/acme/jobs/issues"):
        api.github().write("POST", "issues", {"title": "x"})
    assert len(api.calls) == 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"null"])
def test_an_answer_of_somebody_else_is_an_error(api, body):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    api.failures = [answer]
    with pytest.raises(FlowspecError, match=r"the answer to GET .* is not GitHub's"):
        post_comment(api.github(), 7, MARKER, MARKER)
    api.failures = [answer]
    with pytest.raises(FlowspecError, match=r"the answer to POST .* is not GitHub's"):
        api.github().write("POST", "issues", {"title": "x"})


def test_what_a_gateway_may_have_passed_on_is_not_written_again(api):
    api.failures = [503]
    api.github().write("POST", "issues", {"title": "x"})
    api.failures = [502]
    with pytest.raises(FlowspecError, match="GitHub refused POST /repos/acme/jobs/issues with 502: unicorn"):
        api.github().write("POST", "issues", {"title": "y"})
    assert [one["title"] for one in api.issues] == ["x"]


def test_a_server_that_keeps_failing_is_an_error_with_its_words(api):
    api.failures = [502] * 4
    with pytest.raises(FlowspecError, match="GET /repos/acme/jobs/issues/7/comments with 502: unicorn"):
        post_comment(api.github(), 7, MARKER, MARKER)
    assert not api.failures


def test_a_refusal_is_not_repeated(api):
    api.failures = [422, 500]
    with pytest.raises(FlowspecError, match="422"):
        post_comment(api.github(), 7, MARKER, MARKER)
    assert api.failures == [500]


def test_the_issue_of_a_title_is_opened_once_and_then_updated(api):
    api.issues = [item(1, "eve", title="Drift"), item(2, US, title="Drift", pull_request={})]
    post_issue(api.github(), "Drift", "one")
    post_issue(api.github(), "Drift", "two")
    assert [one["body"] for one in api.issues] == ["", "", "two"]


def test_only_our_open_issues_of_a_title_are_closed_and_a_new_one_is_opened_then(api):
    others = [item(1, "eve", title="Drift"), item(2, US, title="Other"), item(3, US, title="Drift", pull_request={})]
    api.issues = [*others, *(item(number, US, title="Drift") for number in (4, 5))]
    assert close_issues(api.github(), "Drift") == ["u/4", "u/5"]
    assert [one.get("state") for one in api.issues] == [None, None, None, "closed", "closed"]
    assert close_issues(api.github(), "Drift") == []
    post_issue(api.github(), "Drift", "again")
    assert api.issues[5]["body"] == "again"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "GITHUB_REPOSITORY and GITHUB_TOKEN must be set"),
        (
            {"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t", "GITHUB_API_URL": "file:///etc"},
            "not an http or https address",
        ),
    ],
)
def test_an_environment_without_what_is_needed(environ, message):
    with pytest.raises(FlowspecError, match=message):
        from_environment(environ)


@pytest.mark.parametrize("event", ["", "[]", "{}", '{"pull_request": {"number": "7/../8"}}'])
def test_an_event_that_is_not_of_a_pull_request(event, tmp_path):
    (tmp_path / "event.json").write_text(event)
    with pytest.raises(FlowspecError, match="pull request"):
        pull_request({"GITHUB_EVENT_PATH": str(tmp_path / "event.json")})


@pytest.fixture
def workflow(api, tmp_path, monkeypatch):
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 7}}')
    given = {"REPOSITORY": "acme/jobs", "TOKEN": "t0ken", "API_URL": api.url, "EVENT_PATH": str(event)}
    for name, value in given.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)


def test_review_comments(flowspec, repo, api, workflow):  # noqa: F811
    base = repo.commit({"jobs/a.yaml": spec()})
    repo.commit({"jobs/a.yaml": spec().replace("7.1.0", "7.5.0")})
    done = flowspec("review", "--base", base, "--comment")
    assert (done.code, api.url in done.err) == (0, True)
    assert api.comments[0]["body"].startswith(f"{MARKER}\n### Review since")
    assert "release" in api.comments[0]["body"]


def test_review_of_a_fork_notes_that_it_may_not_comment(flowspec, repo, api, workflow):  # noqa: F811
    api.read_only = True
    base = repo.commit({"jobs/a.yaml": spec()})
    done = flowspec("review", "--base", base, "--comment")
    assert (done.code, api.comments) == (0, [])
    assert "from a fork may only read" in done.err
