"""The part of GitHub's REST API that the stages use, on the loopback: comments of pull requests, and who one is."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-actions"
BOT = "github-actions[bot]"


class FakeGitHub:
    """Comments by pull request; `calls` are the methods and paths of all requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[tuple[str, str]] = []
        self._comments: dict[int, dict[str, Any]] = {}

    def environment(self) -> dict[str, str]:
        return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": "team/model", "GITHUB_TOKEN": TOKEN}

    def add(self, number: int, login: str, body: str) -> dict[str, Any]:
        identity = len(self._comments) + 1
        comment = {
            "id": identity,
            "number": number,
            "user": {"login": login},
            "body": body,
            "html_url": f"{self.url}/c/{identity}",
        }
        self._comments[identity] = comment
        return comment

    def bodies(self, number: int, login: str = BOT) -> list[str]:
        found = (one for one in self._comments.values() if one["number"] == number and one["user"]["login"] == login)
        return [one["body"] for one in found]

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(target)
        self.calls.append((method, parts.path))
        if parts.path == "/user":
            return 403, {"message": "Resource not accessible by integration"}
        if found := re.fullmatch(r"/repos/team/model/issues/(\d+)/comments", parts.path):
            number = int(found[1])
            if method == "POST":
                return 201, self.add(number, BOT, body["body"])
            query = {key: int(values[0]) for key, values in parse_qs(parts.query).items()}
            all_ = [one for one in self._comments.values() if one["number"] == number]
            first = (query["page"] - 1) * query["per_page"]
            return 200, all_[first : first + query["per_page"]]
        if method == "PATCH" and (found := re.fullmatch(r"/repos/team/model/issues/comments/(\d+)", parts.path)):
            self._comments[int(found[1])]["body"] = body["body"]
            return 200, self._comments[int(found[1])]
        return 404, {"message": "Not Found"}


@contextmanager
def fake_github() -> Iterator[FakeGitHub]:
    """A running one."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            bad: tuple[int, Any] = (401, {"message": "Bad credentials"})
            status, value = github.answer(self.command, self.path, body) if allowed else bad
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github = FakeGitHub(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
