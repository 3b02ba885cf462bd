"""The checks of the UI as its users see it; the browser runs in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from roles.verification import chat
from roles.verification.acceptance import Check, Evidence
from roles.verification.access import LOGIN, Access
from roles.verification.attempt import NotSo, Skip, attempt
from roles.verification.known import reason

ROOT = Path(__file__).parents[2]

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "chromium-headless-shell"),
)
# What Chromium says to whatever is open when an interface of the machine comes or goes.
_OWN_NETWORK, _LOOKS = "net::ERR_NETWORK_CHANGED", 3
_PATIENCE = {"look": 180, "narrow": 60}  # seconds
_START = 75  # seconds that a chat may have besides, for the browser and the page


@dataclass(frozen=True)
class Browsing:
    """Where the browser goes, and where its pictures lie."""

    access: Access
    folder: Path
    host: str
    release: str  # of Venom; empty where it has none
    chat_budget: float  # seconds from sending a question to its whole answer in the cockpit

    def pages(self) -> Check:
        """Every page of the UI."""

        def try_it() -> tuple[str, Sequence[Evidence]]:
            visit = self._visit("look")
            faults, known = self._faults(visit)
            if faults:
                raise NotSo(_some(faults), *self._shown(visit, known, faults))
            pages, requests = len(set(visit["pages"])), visit["requests"]
            return f"{_count(pages, 'page')}, {_count(requests, 'request')}{_but(known)}", self._shown(
                visit, known
            )

        return attempt(
            "ui.pages",
            "Pages of the UI and their assets, in a browser",
            "no failed request, no error on the console",
            try_it,
            patience=_PATIENCE["look"],
        )

    def narrow(self) -> Check:
        """The start page on a telephone."""

        def try_it() -> tuple[str, Sequence[Evidence]]:
            visit = self._visit("narrow")
            faults, known = self._faults(visit)
            if faults:
                raise NotSo(_some(faults), *self._shown(visit, known, faults))
            wider = f"; {visit['overflow']} pixels wider than the window" if visit["overflow"] > 0 else ""
            return f"{_count(visit['requests'], 'request')}{_but(known)}{wider}", self._shown(visit, known)

        return attempt(
            "ui.narrow",
            "The start page in a narrow window",
            "no failed request, no error on the console",
            try_it,
            patience=_PATIENCE["narrow"],
        )

    def chat(self, took: dict[str, float], why_not: str = "") -> Check:
        """A chat as a user has it. `why_not`: why nothing here could answer.

        The seconds that it takes are put into `took`: whether they are within the budget is judged with
        the other figures.
        """

        def try_it() -> tuple[str, Sequence[Evidence]]:
            if why_not:
                raise Skip(why_not)
            visit = self._visit("chat")
            if visit["error"]:
                faults, known = self._faults(visit)
                raise NotSo(visit["error"], *self._shown(visit, known, faults))
            took["ui_chat_seconds"] = visit["seconds"]
            # What the page took is kept apart from what the model did: a browser on the same cores is slow.
            found = f"{visit['seconds']:.1f} s, Venom's own answer after {visit['answered']:.1f} s"
            return f"{found}: {_short(visit['answer'])}", self._shown(visit, [])

        return attempt(
            "ui.chat",
            "A chat in the UI, in a browser",
            "an answer stands there, whole",
            try_it,
            patience=self._patience("chat"),
        )

    def _patience(self, part: str) -> float:
        return _PATIENCE.get(part, _START + 3 * self.chat_budget)

    def _visit(self, part: str) -> dict[str, Any]:
        """What the browser saw; looked at again where this machine's own network changed meanwhile."""
        for _ in range(_LOOKS):
            visit = self._look(part)
            if not any(it.endswith(_OWN_NETWORK) for it in visit["failed"]):
                break
        return visit

    def _look(self, part: str) -> dict[str, Any]:
        if not self.access.browser_url:
            raise Skip(f"the door asks for a password: set {LOGIN}=user:password")
        settings = {
            "browser": browser(),
            "self_made": bool(self.access.fingerprint),
            "login": self.access.login,
            "url": self.access.browser_url,
            "rules": self.access.browser_rules,
            "part": part,
            "folder": str(self.folder.absolute()),
            "prefix": self.host,
            "question": chat.QUESTION,
            "chat_seconds": 3 * self.chat_budget,  # who is late learns by how much
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "roles.verification.browser"],
            cwd=ROOT,
            input=json.dumps(settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=self._patience(part),
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            shown = Evidence("text", "Output of the browser", done.stderr)
            raise NotSo(f"the browser did not get through: {last}", shown)
        visit: dict[str, Any] = json.loads(done.stdout)
        return visit

    def _faults(self, visit: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """What went wrong, each thing once: faults, and what is known to."""
        messages = dict.fromkeys([*visit["failed"], *visit["console"]])
        known = [it for it in messages if reason(it, self.release)]
        error = [visit["error"]] if visit["error"] else []
        return error + [it for it in messages if it not in known], known

    def _shown(
        self, visit: Mapping[str, Any], known: Sequence[str], faults: Sequence[str] = ()
    ) -> Sequence[Evidence]:
        shown = []
        if visit["screenshot"]:
            shown.append(Evidence("screenshot", f"The UI of {self.host}", file=visit["screenshot"]))
        if faults:
            shown.append(Evidence("text", "What failed", "\n".join(faults)))
        if known:
            lines = [f"{it} ({reason(it, self.release)})" for it in known]
            shown.append(Evidence("text", "What the UI asks for in vain, as known", "\n".join(lines)))
        return shown


def browser() -> str:
    """The browser of this machine. Raises Skip where there is none, or nothing to drive it with."""
    if find_spec("playwright") is None:
        raise Skip("Playwright is missing on this machine: .venv/bin/pip install -e '.[verify]'")
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise Skip("no browser on this machine: apt install chromium (or Google Chrome)")


def _some(faults: Sequence[str]) -> str:
    more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
    return "; ".join(faults[:3]) + more


def _but(known: Sequence[str]) -> str:
    return f"; {len(known)} asked for in vain, as known" if known else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line[:60]}…”" if len(line) > 60 else f"“{line}”"
