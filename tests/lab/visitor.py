"""What somebody on a host sees of its Venom: answers, chats, processes, files. It changes nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.hosts import Host

BACKEND = "http://127.0.0.1:8000"
UI = "http://127.0.0.1:3000"
OLLAMA = "http://127.0.0.1:11434"

LIGHT = ("ollama.service", "venom-backend.service", "venom-ui.service")
LLM_OFF = ("venom-backend.service", "venom-ui.service")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Chat:
    """A question, the names of the events that came while it was worked on, and what became of it."""

    events: tuple[str, ...]
    status: str
    result: str


def fetch(host: Host, url: str, data: object = None) -> Answer:
    """GET a URL on the host, or POST JSON to it; status 0 where nobody answers."""
    line = ["curl", "--silent", "--max-time", "60", "--write-out", "\n%{http_code}", url]
    if data is not None:
        line += ["--json", json.dumps(data)]
    body, _, status = host.run(line, check=False).stdout.rpartition("\n")
    return Answer(int(status), body)


def chat(host: Host, question: str, base: str = UI) -> Chat:
    """Ask as the browser does, through the UI's server, and follow the task until it is over."""
    tasks = f"{base}/api/v1/tasks"
    task = fetch(host, tasks, {"content": question, "store_knowledge": False}).json()["task_id"]
    line = ["curl", "--silent", "--no-buffer", "--max-time", "120", f"{tasks}/{task}/stream"]
    stream = host.run(line).stdout
    events = [line.removeprefix("event:").strip() for line in stream.splitlines() if line[:6] == "event:"]
    finished = fetch(host, f"{tasks}/{task}").json()
    return Chat(tuple(events), finished["status"], finished["result"])


def await_answer(host: Host, *urls: str, seconds: int = 60) -> None:
    """Return once every URL answers; fails after so many seconds."""
    ask = "curl --silent --show-error --fail --output /dev/null --max-time 10"
    for url in map(shlex.quote, urls):
        loop = f"until {ask} {url} 2>/dev/null; do sleep 0.1; done"
        host.run(f"timeout {seconds} sh -c {shlex.quote(loop)} || {ask} {url}")


def first_event(host: Host, address: str = "ws://127.0.0.1:8000/ws/events") -> dict[str, Any]:
    """The first message of a WebSocket of Venom's, taken with the host's own websockets package."""
    script = (
        "from websockets.sync.client import connect\n"
        f"with connect({address!r}) as socket: print(socket.recv(timeout=20))"
    )
    answer = host.run(["/opt/venom/current/venv/bin/python", "-c", script])
    event: dict[str, Any] = json.loads(answer.stdout)
    return event


def processes(host: Host, units: Iterable[str]) -> dict[str, int]:
    """Unit → id of its main process; 0 where it does not run."""
    return {unit: int(_show(host, unit, "MainPID")) for unit in units}


def owners(host: Host, units: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Unit → name and number of the user that its main process runs as."""
    found = {}
    for unit, pid in processes(host, units).items():
        name, number = host.run(f"stat -c '%U %u' /proc/{pid}").stdout.split()
        found[unit] = (name, int(number))
    return found


def listening(host: Host) -> set[str]:
    """ADDRESS:PORT of everything that accepts TCP connections."""
    return {line.split()[3] for line in host.run("ss -ltnH").stdout.splitlines()}


def files(host: Host, *folders: str) -> str:
    """Every file below the folders, a line each: any write changes its line (the change time)."""
    line = ["find", *folders, "-xdev", "-printf", r"%p %y %m %u:%g %s %C@ %l\n"]
    return "\n".join(sorted(host.run(line, check=False).stdout.splitlines()))


def layout(host: Host, *folders: str) -> str:
    """Every file below the folders with kind, mode, owner and target: the same on two equal hosts."""
    line = ["find", *folders, "-xdev", "-printf", r"%p %y %m %u:%g %l\n"]
    return "\n".join(sorted(host.run(line).stdout.splitlines()))


def parts(host: Host) -> str:
    """What is half-made: the `.part` files and folders in all places where the product writes."""
    return host.run("find /opt /etc /var /usr/local -xdev -name '*.part' -print -prune").stdout


def jobs(host: Host) -> str:
    """The product's transient units that run or have failed."""
    return host.run("systemctl list-units --plain --no-legend 'venom-job-*'").stdout


def settings(host: Host) -> dict[str, str]:
    """The backend's environment file."""
    lines = host.read("/var/lib/venom/venom.env").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def receipt(host: Host) -> Mapping[str, Any]:
    """What was applied, as the host remembers it."""
    found: dict[str, Any] = json.loads(host.read("/etc/venom/receipt.json"))
    return found


def _show(host: Host, unit: str, name: str) -> str:
    return host.run(["systemctl", "show", "--property", name, "--value", unit]).stdout.strip()
