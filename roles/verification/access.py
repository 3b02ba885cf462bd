"""How the controller comes in, as a user does: through the door, and by which addresses.

A door on loopback is reached as its users reach it, through SSH; one that a LAN may use, over the LAN. Where
the door asks for a password that is not given here, what lies behind it is tried through SSH instead.
"""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from roles.verification.tunnel import tunnel
from schemas.model import HostPlan

LOGIN = "VENOM_DOOR_LOGIN"  # environment: user:password
_LOOPBACK = "127.0.0.1"
# On a private address with another port of its own Venom's UI looks for its WebSocket on port 8000.
_UI_PORT = 8000


@dataclass(frozen=True)
class Access:
    """The way in to one host."""

    base: str  # base URL of the door, as reached from here
    api: str  # base URL by which the API is tried: the door's, or behind it
    browser_url: str  # as the browser is given it; empty where the browser cannot come in
    browser_rules: str  # Chromium's --host-resolver-rules, which lead that to this host
    remote: bool  # whether the door sees this machine's own address
    fingerprint: str = ""  # SHA-256 of the certificate that the door must serve
    login: tuple[str, str] | None = None
    locked: bool = False  # the door asks for a password, and none is given

    def session(self) -> requests.Session:
        """Straight to the host, whatever proxy the environment names; by TLS to its certificate alone."""
        http = requests.Session()
        http.trust_env = False
        http.auth = self.login
        if self.fingerprint:
            http.verify = False  # by name nobody vouches for it; by its fingerprint the host itself does
            http.mount("https://", _Pinned(self.fingerprint))
        return http

    def get(self, path: str, timeout: float = 15) -> requests.Response:
        """GET of a path of the API. Raises requests' errors, of a bad status none."""
        with self.session() as http:
            return http.get(f"{self.api}{path}", timeout=timeout)

    @property
    def socket(self) -> tuple[str, Mapping[str, Any]]:
        """The address of the API as a WebSocket, and what connecting there needs."""
        more: dict[str, Any] = {}
        if self.api.startswith("https"):
            more["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            more["ssl"].check_hostname, more["ssl"].verify_mode = False, ssl.CERT_NONE
        if self.login:
            plain = ":".join(self.login).encode()
            more["additional_headers"] = {"Authorization": f"Basic {base64.b64encode(plain).decode()}"}
        return self.api.replace("http", "ws", 1), more


class _Pinned(HTTPAdapter):
    """Takes one certificate and no other."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, assert_fingerprint=self._fingerprint, **settings)


@contextmanager
def opened(target: Any, plan: HostPlan, fingerprint: str) -> Iterator[Access]:
    """The way in, for as long as it is used.

    `target`: pyinfra's host, connected. `fingerprint`: of the door's certificate; empty without TLS.
    """
    door = plan.door
    scheme, usual = ("http", 80) if door.tls == "none" else ("https", 443)
    login = _login() if door.users else None
    locked = bool(door.users) and login is None
    with ExitStack() as stack:
        port = "" if door.port == usual else f":{door.port}"
        base = browser = f"{scheme}://{plan.ssh.address}{port}"
        rules, remote = "", door.exposure == "lan" and plan.ssh.address != "@local" and _let_in(base)
        if not remote:
            here = stack.enter_context(tunnel(target, door.port))
            base, browser = f"{scheme}://{_LOOPBACK}:{here}", f"{scheme}://{_LOOPBACK}:{_UI_PORT}"
            rules = f"MAP {_LOOPBACK}:{_UI_PORT} {_LOOPBACK}:{here}"
        api = base
        if locked:
            behind = stack.enter_context(tunnel(target, plan.backend.port))
            api, browser, rules = f"http://{_LOOPBACK}:{behind}", "", ""
        yield Access(base, api, browser, rules, remote, fingerprint, login, locked)


def _let_in(base: str) -> bool:
    """Whether the door lets this machine in: it need not be in a network of `allow_from`."""
    with requests.Session() as http:
        http.trust_env = False
        http.verify = False  # nothing is asked of it or sent to it
        try:
            return http.get(base, timeout=5).status_code != 403
        except requests.RequestException:
            return True  # that nobody answers is for the checks to say


def _login() -> tuple[str, str] | None:
    user, _, password = os.environ.get(LOGIN, "").partition(":")
    return (user, password) if user and password else None
