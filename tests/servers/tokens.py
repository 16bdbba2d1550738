"""An authorization server on this machine: gives tokens (RFC 6749 §4.4, §6), tells about them (RFC 7662).

Real HTTP on a free port. It knows one client and one refresh token, and gives a new token each time. What the
next requests are answered with can be said before; `asked` has every form that came for a token.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl


class TokenServer:
    """The server; use it with `with`. `lifetime`: seconds that its tokens work; None: it does not tell.

    `rotates`: each use of the refresh token makes another one take its place.
    """

    client_id = "ombud-of-the-tests"
    client_secret = "a secret of the client's"

    def __init__(self, user: str = "", lifetime: float | None = 3600, *, rotates: bool = False) -> None:
        self.user = user
        self.lifetime = lifetime
        self.rotates = rotates
        self.refresh_token = "refresh-0"
        self.asked: list[dict[str, str]] = []
        self.valid: list[str] = []
        self._next: list[tuple[int, bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def token_url(self) -> str:
        """Where tokens are given."""
        return f"http://127.0.0.1:{self._server.server_port}/token"

    @property
    def introspection_url(self) -> str:
        """Where a mail server asks whose a token is."""
        return f"http://127.0.0.1:{self._server.server_port}/introspect"

    def answer_next(self, status: int, body: Any) -> None:
        """Say this to the next request for a token; several are said in turn. Bytes are said as they are."""
        self._next.append((status, body if isinstance(body, bytes) else json.dumps(body).encode()))

    def revoke_all(self) -> None:
        """No token given so far works any longer."""
        self.valid.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                status, body = server._answered(self.path, form)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's signature)
                """Say nothing."""

        return Handler

    def _answered(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        if path == "/introspect":
            active = form.get("token") in self.valid
            return 200, json.dumps({"active": active, "username": self.user if active else ""}).encode()
        self.asked.append(form)
        if self._next:
            return self._next.pop(0)
        status, answer = self._token(form)
        return status, json.dumps(answer).encode()

    def _token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return 401, {"error": "invalid_client", "error_description": "who are you?"}
        grant = form.get("grant_type")
        if grant == "refresh_token" and form.get("refresh_token") != self.refresh_token:
            return 400, {"error": "invalid_grant", "error_description": f"not {form.get('refresh_token')}"}
        if grant not in ("refresh_token", "client_credentials"):
            return 400, {"error": "unsupported_grant_type"}
        self.valid.append(f"token-{len(self.asked)}")
        given: dict[str, Any] = {"access_token": self.valid[-1], "token_type": "Bearer"}
        if self.lifetime is not None:
            given["expires_in"] = self.lifetime
        if grant == "refresh_token" and self.rotates:
            self.refresh_token = given["refresh_token"] = f"refresh-{len(self.asked)}"
        return 200, given
