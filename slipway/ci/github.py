"""GitHub as a stage sees it: one comment of its own on a pull request, edited every time, and the job's summary.

Uses GITHUB_TOKEN, GITHUB_REPOSITORY and GITHUB_API_URL, which Actions sets; elsewhere a personal token does.
"""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.errors import USAGE, SlipwayError

API_URL = "https://api.github.com"
API_VERSION = "2022-11-28"
TIMEOUT_SECONDS = 30
PAGE_SIZE = 100
COMMENT_LIMIT_CHARACTERS = 65_536
CUT = "\n\n... cut: GitHub takes no longer comment. The whole report is in the job's summary.\n"
ACTIONS_BOT = "github-actions[bot]"


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """One repository, and the right to comment in it."""

    api: str
    repository: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "GitHub":
        """Raises SlipwayError naming the variables that are missing."""
        missing = [name for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY") if not environment.get(name)]
        if missing:
            raise SlipwayError(f"a comment needs {' and '.join(missing)}; set them, or leave the comment out", USAGE)
        repository = environment["GITHUB_REPOSITORY"]
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise SlipwayError(f"GITHUB_REPOSITORY is {repository!r}; it should look like owner/name", USAGE)
        api = environment.get("GITHUB_API_URL") or API_URL
        return cls(api=api.rstrip("/"), repository=repository, token=environment["GITHUB_TOKEN"])

    def comment(self, number: int, topic: str, body: str) -> str:
        """Put `body` into our one comment about `topic` on pull request `number`; returns the comment's address.

        The comment is found again by a hidden marker and by its author: anybody can write a marker.
        """
        marker = f"<!-- slipway: {topic} -->"
        text = f"{marker}\n{body}"
        if len(text) > COMMENT_LIMIT_CHARACTERS:
            text = text[: COMMENT_LIMIT_CHARACTERS - len(CUT)] + CUT
        me = self._login()
        for comment in self._comments(number):
            if comment["user"]["login"] == me and comment["body"].startswith(marker):
                return self._write("PATCH", f"comments/{comment['id']}", text)
        return self._write("POST", f"{number}/comments", text)

    def _write(self, method: str, path: str, text: str) -> str:
        written = self._call(method, f"/repos/{self.repository}/issues/{path}", {"body": text})
        return str(written["html_url"])

    def _login(self) -> str:
        try:
            return str(self._send("GET", "/user", None)["login"])
        except urllib.error.HTTPError as error:
            if error.code != 403:
                raise _refusal(error) from error
            return ACTIONS_BOT  # the token of Actions may not ask who it is

    def _comments(self, number: int) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            query = f"per_page={PAGE_SIZE}&page={page}"
            found = self._call("GET", f"/repos/{self.repository}/issues/{number}/comments?{query}")
            yield from found
            if len(found) < PAGE_SIZE:
                return
            page += 1

    def _call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        try:
            return self._send(method, path, body)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error

    def _send(self, method: str, path: str, body: Mapping[str, str] | None) -> Any:
        request = urllib.request.Request(
            self.api + path,
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": API_VERSION,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError as error:
            raise SlipwayError(f"GitHub at {self.api} cannot be reached: {error.reason}") from error


def _refusal(error: urllib.error.HTTPError) -> SlipwayError:
    said = error.read().decode(errors="replace")[:300]
    hint = "; the job needs `permissions: pull-requests: write`" if error.code in (403, 404) else ""
    return SlipwayError(f"GitHub refused {error.url}: {error.code} {said}{hint}")


def add_to_summary(markdown: str) -> None:
    """Append to the job's summary page, where there is one."""
    if place := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(place).open("a") as file:
            file.write(markdown + "\n")
