"""Comments on pull requests and issues of GitHub, by its REST API.

Sources: docs.github.com/rest/issues/comments and /rest/issues/issues. A workflow has what is needed in its environment:
GITHUB_REPOSITORY, GITHUB_TOKEN, GITHUB_EVENT_PATH, and GITHUB_API_URL (another one on GitHub Enterprise).
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from flowspec.cli import print_error
from flowspec.cli.exits import Exit
from flowspec.cli.output import eprint_report
from flowspec.errors import FlowspecError

# The user of the token that GitHub gives to a workflow. That token may not ask `GET /user` who it is.
_ACTIONS_USER = "github-actions[bot]"
_FORBIDDEN = 403
_SERVER_ERROR = 500
_UNAVAILABLE = 503
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 30.0


class GitHub(NamedTuple):
    """A repository on GitHub, with a token that may write its pull requests or issues."""

    repository: str
    token: str
    url: str = "https://api.github.com"
    first_wait: float = 1.0
    """Seconds before a request that failed is sent again; doubled at each further one."""

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yields the items of a list, from all of its pages. Raises FlowspecError."""
        following: str | None = f"{self.url}/repos/{self.repository}/{path}"
        while following:
            items, link = self.send("GET", following)
            if not isinstance(items, list):
                raise _foreign_answer("GET", following, "a list is wanted")
            yield from items
            following = _next_page(link, self.url)

    def write(self, method: str, path: str, body: Mapping[str, Any]) -> str:
        """Creates or changes a comment or an issue; returns its address for people. Raises FlowspecError."""
        return self._send_for(method, f"{self.url}/repos/{self.repository}/{path}", "html_url", body)

    def user(self) -> str:
        """Returns the login of the token's user."""
        try:
            return self._send_for("GET", f"{self.url}/user", "login")
        except Forbidden:
            return _ACTIONS_USER

    def _send_for(self, method: str, url: str, member: str, body: Mapping[str, Any] | None = None) -> str:
        """Returns a member of the answer."""
        answer, _ = self.send(method, url, body)
        if not isinstance(answer, dict) or member not in answer:
            raise _foreign_answer(method, url, f"there is no '{member}'")
        return str(answer[member])

    def send(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> tuple[Any, str]:
        """Returns the answer and its `Link` header.

        A POST whose answer was lost, also by a gateway (502, 504), may have been carried out: it is not sent again.
        Raises Forbidden for 403, FlowspecError otherwise.
        """
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(_ATTEMPTS):
            try:
                # The scheme is checked in from_environment.
                with urlopen(Request(url, data, headers, method=method), timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                    return json.load(answer), answer.headers.get("Link", "")
            except HTTPError as error:
                lost = method == "POST" and error.code != _UNAVAILABLE
                if lost or error.code < _SERVER_ERROR or attempt == _ATTEMPTS - 1:
                    raise _refusal(method, url, error) from error
            except ValueError as error:
                raise _foreign_answer(method, url, str(error)) from error
            except (OSError, HTTPException) as error:
                if method == "POST" or attempt == _ATTEMPTS - 1:
                    raise FlowspecError(f"GitHub did not answer {method} {urlsplit(url).path}: {error}") from error
            time.sleep(self.first_wait * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


class Forbidden(FlowspecError):
    """GitHub's 403: the token may not do this, as that of a pull request from a fork."""


def _foreign_answer(method: str, url: str, why: str) -> FlowspecError:
    return FlowspecError(f"the answer to {method} {urlsplit(url).path} is not GitHub's: {why}")


def _refusal(method: str, url: str, error: HTTPError) -> FlowspecError:
    try:
        message = str(json.load(error)["message"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        message = str(error.reason)
    kind = Forbidden if error.code == _FORBIDDEN else FlowspecError
    return kind(f"GitHub refused {method} {urlsplit(url).path} with {error.code}: {message}")


def _next_page(link: str, url: str) -> str | None:
    """Returns the address of the next page in a `Link` header.

    One on another host would be given the token, and is refused.
    """
    found = re.search(r'<([^>]+)>;\s*rel="next"', link)
    if not found:
        return None
    if urlsplit(found[1])[:2] != urlsplit(url)[:2]:
        raise FlowspecError(f"GitHub's next page is on another host: {found[1]}")
    return found[1]


def from_environment(environ: Mapping[str, str] = os.environ) -> GitHub:
    """Returns the repository of the workflow that runs.

    Raises FlowspecError when a variable is missing, or the API has no http or https address.
    """
    if missing := [name for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN") if not environ.get(name)]:
        raise FlowspecError(
            f"{' and '.join(missing)} must be set to write to GitHub; a workflow gives the token by `env:`"
        )
    url = (environ.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/")
    if urlsplit(url).scheme not in {"http", "https"}:
        raise FlowspecError(f"GITHUB_API_URL is not an http or https address: {url}")
    return GitHub(environ["GITHUB_REPOSITORY"], environ["GITHUB_TOKEN"], url)


def pull_request(environ: Mapping[str, str] = os.environ) -> int:
    """Returns the number of the pull request that started the workflow, from its event.

    Raises FlowspecError without one.
    """
    path = environ.get("GITHUB_EVENT_PATH")
    if not path:
        raise FlowspecError("GITHUB_EVENT_PATH is not set: a comment needs the event of a pull request")
    try:
        number = json.loads(Path(path).read_text(encoding="utf-8"))["pull_request"]["number"]
    except OSError as error:
        raise FlowspecError(f"GITHUB_EVENT_PATH can't be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FlowspecError(f"{path} is not the event of a pull request: run this on `pull_request`") from error
    if not isinstance(number, int):
        raise FlowspecError(f"{path} has no number of a pull request")
    return number


def post_comment(github: GitHub, number: int, body: str, marker: str) -> str:
    """Writes a comment on a pull request, or updates our own that begins with the marker; returns its address.

    A comment of somebody else is left alone, whatever it begins with.
    Raises Forbidden when the token may only read, FlowspecError otherwise.
    """
    user = github.user()
    for comment in github.pages(f"issues/{number}/comments?per_page=100"):
        if _author(comment) == user and str(comment.get("body") or "").startswith(marker):
            return github.write("PATCH", f"issues/comments/{comment['id']}", {"body": body})
    return github.write("POST", f"issues/{number}/comments", {"body": body})


def post_issue(github: GitHub, title: str, body: str) -> str:
    """Opens an issue, or updates our own open one of that title; returns its address. Raises as post_comment."""
    for issue in _issues(github, title):
        return github.write("PATCH", f"issues/{issue['number']}", {"body": body})
    return github.write("POST", "issues", {"title": title, "body": body})


def close_issues(github: GitHub, title: str) -> list[str]:
    """Closes our own open issues of a title; returns their addresses. Raises as post_comment."""
    # The list first: what is closed moves the pages that follow.
    found = list(_issues(github, title))
    return [github.write("PATCH", f"issues/{one['number']}", {"state": "closed"}) for one in found]


def _issues(github: GitHub, title: str) -> Iterator[dict[str, Any]]:
    user = github.user()
    for issue in github.pages("issues?state=open&per_page=100"):
        # GitHub lists pull requests among the issues.
        if issue.get("title") == title and _author(issue) == user and "pull_request" not in issue:
            yield issue


def _author(item: Mapping[str, Any]) -> str | None:
    """Returns the login of who wrote it; None when the account is gone."""
    return (item.get("user") or {}).get("login")


def main(title: str, file: str | None = None) -> int:
    """Opens or updates the issue of a title with the Markdown of a file, or closes it when there is no file.

    `python -m flowspec.cli.github TITLE [FILE]`
    """
    try:
        github = from_environment()
        if file is None:
            shown = close_issues(github, title)
        else:
            shown = [post_issue(github, title, Path(file).read_text(encoding="utf-8"))]
    except (FlowspecError, OSError) as error:
        return print_error(error)
    for address in shown:
        eprint_report(address)
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
