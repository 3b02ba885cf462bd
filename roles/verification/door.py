"""The checks of the door: who comes in where, and that a request goes where it belongs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import requests
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from engine.services import Service
from roles.verification.acceptance import Check
from roles.verification.access import LOGIN, Access
from roles.verification.attempt import NotSo, Skip, Try, attempt
from schemas.model import Door

_NOBODY = "somebody-elses-name.invalid"
# Venom's administrative endpoints, which answer the host itself only, each so that it would change nothing.
_ADMIN: tuple[tuple[str, str, Mapping[str, object] | None], ...] = (
    ("GET", "/api/v1/config/backups", None),
    ("POST", "/api/v1/config/runtime", {"updates": {}}),
    ("POST", "/api/v1/config/restore", {"backup_filename": "no-such-copy"}),
)
# What a visitor could claim in order to pass for the host itself.
_CLAIMS = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP")


def checks(access: Access, door: Door, service: Service) -> list[Check]:
    """All that concern this door. `service`: nginx with the site of the plan; its URL is where it says so."""
    tries: list[tuple[str, str, str, Try]] = [
        ("site", "nginx serves the site of the plan", "its fingerprint", lambda: _site(access, service)),
        ("api", "/api goes to FastAPI", "422 for an empty task", lambda: _api(access)),
        ("ui", "Everything else goes to Next", "a page of it, for GET alone", lambda: _ui(access)),
        ("websocket", "/ws goes to FastAPI", "a first message within 15 s", lambda: _websocket(access)),
        ("name", "Another name is refused", "421", lambda: _name(access)),
    ]
    if door.users:
        tries.append(("password", "Nobody comes in without a password", "401", lambda: _password(access)))
    if not door.runtime_control:
        tries.append(("runtime", "Nobody stops services through it", "403", lambda: _runtime(access)))
    if door.exposure == "lan":
        tries.append(("admin", "Administrative endpoints from outside", "403", lambda: _admin(access)))
    return [attempt(f"door.{name}", title, expected, it) for name, title, expected, it in tries]


def _site(access: Access, service: Service) -> str:
    if access.remote:
        raise Skip("only the host itself may ask this: see the check of the unit")
    with access.session() as http:
        response = http.get(f"{access.base}{urlsplit(service.url).path}", timeout=15)
    if response.status_code == 401 and access.locked:
        raise Skip(f"it asks for a password: set {LOGIN}=user:password")
    if response.text.strip() != service.fingerprint:
        raise NotSo(f"{response.status_code}: {response.text.strip()[:60]}")
    return service.fingerprint


def _password(access: Access) -> str:
    with access.session() as http:
        http.auth = None
        response = http.get(f"{access.base}/", timeout=15)
    if response.status_code != 401:
        raise NotSo(f"GET / without one answers {response.status_code}")
    return "GET / without one answers 401"


def _api(access: Access) -> str:
    response = _through(access, "POST", "/api/v1/tasks", {})
    if response.status_code != 422 or "detail" not in response.text:
        raise NotSo(f"POST /api/v1/tasks answers {response.status_code}: {response.text[:120]}")
    return "POST /api/v1/tasks without a question answers 422, as FastAPI does"


def _ui(access: Access) -> str:
    response = _through(access, "GET", "/")
    if response.status_code != 200 or "/_next/" not in response.text:
        raise NotSo(f"GET / answers {response.status_code}: {response.text[:120]}")
    post = _through(access, "POST", "/", {}).status_code
    if post != 405:
        raise NotSo(f"POST / answers {post}")
    return "GET / answers with a page of Next, POST / with 405"


def _websocket(access: Access) -> str:
    if access.locked:
        _through(access, "GET", "/")
    base, more = access.socket
    try:
        with connect(f"{base}/ws/events", open_timeout=15, close_timeout=2, proxy=None, **more) as events:
            message = json.loads(events.recv(timeout=15))
    except InvalidStatus as error:
        raise NotSo(f"status {error.response.status_code} instead of a WebSocket") from error
    except WebSocketException as error:
        raise NotSo(f"no WebSocket: {error}") from error
    return f"the first message is {message.get('type', 'without a type')}"


def _name(access: Access) -> str:
    with access.session() as http:
        response = http.get(f"{access.base}/", headers={"Host": _NOBODY}, timeout=15)
    if response.status_code != 421:
        raise NotSo(f"Host: {_NOBODY} answers {response.status_code}")
    return f"Host: {_NOBODY} answers 421"


def _runtime(access: Access) -> str:
    # No service bears this name: nothing would happen if it were let through.
    response = _through(access, "POST", "/api/v1/runtime/no-such-service/stop", {})
    if response.status_code != 403:
        raise NotSo(f"POST /api/v1/runtime/… answers {response.status_code}")
    return "POST /api/v1/runtime/… answers 403"


def _admin(access: Access) -> str:
    if not access.remote:
        raise Skip("this machine is not let in over the LAN, or is the host itself")
    closed = []
    for claims in ({}, dict.fromkeys(_CLAIMS, "127.0.0.1")):
        for method, path, body in _ADMIN:
            status = _through(access, method, path, body, headers=claims).status_code
            if status != 403:
                claiming = " to a client that claims to be 127.0.0.1" if claims else ""
                raise NotSo(f"{method} {path} answers {status}{claiming}")
            closed.append(path)
    return f"{', '.join(dict.fromkeys(closed))}: 403"


def _through(
    access: Access,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """An answer of the door. Raises Skip where only who has a password would get one."""
    if access.locked:
        raise Skip(f"it asks for a password: set {LOGIN}=user:password")
    with access.session() as http:
        return http.request(
            method, f"{access.base}{path}", json=body, headers=dict(headers or {}), timeout=15
        )
