"""How the controller comes in, as a user does: which addresses lead to this host from here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from roles.verification.tunnel import tunnel
from schemas.model import HostPlan

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Access:
    """The ways to one host."""

    ui: str  # base URL, as reached from here
    api: str
    browser_url: str  # as the browser is told to see it: the UI decides by it where its WebSocket is
    browser_rules: str  # Chromium's --host-resolver-rules, which lead that to this host
    shown: str  # for people

    def get(self, path: str, *, base: str = "", timeout: float = 15) -> requests.Response:
        """GET of a path; `base`: instead of the API's. Raises requests' errors, of a bad status none."""
        with session() as http:
            return http.get(f"{base or self.api}{path}", timeout=timeout)


def session() -> requests.Session:
    """Straight to the host, whatever proxy the environment names."""
    http = requests.Session()
    http.trust_env = False
    return http


@contextmanager
def opened(target: Any, plan: HostPlan) -> Iterator[Access]:
    """The ways to the host, for as long as they are used. `target`: pyinfra's host, connected."""
    with ExitStack() as stack:
        ui, api = (stack.enter_context(tunnel(target, it)) for it in (plan.ui.port, plan.backend.port))
        rules = [f"MAP {_LOOPBACK}:{plan.ui.port} {_LOOPBACK}:{ui}"]
        rules += [f"MAP {_LOOPBACK}:{plan.backend.port} {_LOOPBACK}:{api}"]
        yield Access(
            ui=f"http://{_LOOPBACK}:{ui}",
            api=f"http://{_LOOPBACK}:{api}",
            browser_url=f"http://{_LOOPBACK}:{plan.ui.port}",
            browser_rules=", ".join(rules),
            shown=f"{plan.ui.port} and {plan.backend.port} of the host's loopback",
        )
