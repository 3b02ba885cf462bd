"""A remote request never looks local to Venom: every way in, from another host, with what nobody would send.

What counts is what the backend logged in its journal, and what became of the host, whatever was answered.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

import pytest

from lab.hosts import Host
from tests.lab import attacks, provisioning, visitor
from tests.lab.attacks import Attack, Wanted
from tests.lab.serving import Serving

_KEY, _VALUE = "SUMMARY_STRATEGY", "attacked"
_PORTS = {"backend": 8000, "UI": 3000, "Ollama": 11434}
# What is asked for in the attacks, and by the UI never.
_NOT_THE_UI = re.compile(r"/v1/(?:config|runtime)(?:/|$)")
# A line of uvicorn's about a request: whom the backend took for the client, and what it was asked.
_ASKED = re.compile(r'(?P<client>\S+):\d+ - "(?P<method>\S+) (?P<path>\S+) \S+" (?P<status>\d+)')


@dataclass(frozen=True)
class Target:
    """A host whose door is open to another one, which is not to be trusted."""

    host: Host
    attacker: Host
    copy: str  # of the settings: what could be restored

    @property
    def state(self) -> str:
        """What an attacker could have changed."""
        services = self.host.run(
            "systemctl show --property Id,ActiveState,MainPID venom-* ollama nginx"
        ).stdout
        return services + visitor.files(self.host, "/var/lib/venom/venom.env", "/var/lib/venom/env-history")

    def requests(self, since: str) -> list[re.Match[str]]:
        """What the backend logged of requests since that mark."""
        behind = self._journal(self.mark()).partition(since)[2]
        return [it for it in _ASKED.finditer(behind) if "/healthz?mark=" not in it["path"]]

    def mark(self) -> str:
        """Have the backend log a word of its own, and wait for it: then all before it is logged, too."""
        word = uuid.uuid4().hex
        assert visitor.fetch(self.host, f"{visitor.BACKEND}/healthz?mark={word}").status == 200
        self._journal(word)
        return word

    def _journal(self, word: str) -> str:
        """What the backend wrote, once the word is in it."""
        read = "journalctl --quiet --output=cat --since=-15min --unit=venom-backend"
        self.host.run(f"timeout 60 sh -c 'until {read} | grep -q {word}; do sleep 0.1; done'")
        return self.host.run(read).stdout

    def local(self, path: str, data: object = None) -> visitor.Answer:
        """What the host itself is answered, through the door."""
        return visitor.fetch(self.host, f"http://127.0.0.1{path}", data)


@pytest.fixture(scope="module")
def target(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """The host `light`, open to `off`."""
    folder = tmp_path_factory.mktemp("remote")
    door = {"exposure": "lan", "allow_from": [serving.off.address]}
    provisioning.run(provisioning.inventory(folder, serving.of_light(door=door))).check()
    return made(serving.light, serving.off)


def made(host: Host, attacker: Host) -> Target:
    """A target, with a copy of its settings that its own panel made."""
    update = {"updates": {_KEY: "llm_with_fallback"}}
    answer = visitor.fetch(host, "http://127.0.0.1/api/v1/config/runtime", update)
    assert "success" in answer.body, answer
    copies = re.findall(r"venom\.env-[0-9-]+", host.run("ls -t /var/lib/venom/env-history").stdout)
    return Target(host, attacker, copies[0])


@pytest.fixture(scope="module")
def administration(target: Target) -> list[Wanted]:
    """What answers the host itself only."""
    return [
        Wanted("GET", "/api/v1/config/backups"),
        Wanted("POST", "/api/v1/config/runtime", {"updates": {_KEY: _VALUE}}),
        Wanted("POST", "/api/v1/config/restore", {"backup_filename": target.copy}),
    ]


CLOSED = [Wanted("POST", f"/api/v1/runtime/{it}") for it in ("ollama/stop", "profile/llm_off")]


def test_the_host_itself_administers(target: Target, administration: list[Wanted]) -> None:
    since = target.mark()
    assert [target.local(it.path, it.body).status for it in administration] == [200] * 3
    # What the next tests look for is logged so.
    logged = [(it["client"], it["method"], it["path"]) for it in target.requests(since)]
    assert [it for it in logged if "/config/" in it[2]] == [
        ("127.0.0.1", it.method, it.path) for it in administration
    ]


def test_no_remote_request_administers_or_looks_local(target: Target, administration: list[Wanted]) -> None:
    _attacked(target, [it for wanted in administration for it in attacks.on(target.host.address, wanted)])


def test_what_is_closed_at_the_door_is_so_in_every_spelling(target: Target) -> None:
    every = [it for wanted in CLOSED for it in attacks.on(target.host.address, wanted)]
    for request in _attacked(target, every):
        assert "/api/v1/runtime" not in _read(request["path"]) or request["method"] in {"GET", "HEAD"}, (
            request[0]
        )


def test_the_ui_fetches_no_picture_from_the_backend(target: Target, administration: list[Wanted]) -> None:
    [path, *_] = [it.path for it in administration]
    requests = _attacked(target, list(attacks.in_pictures(target.host.address, path)))
    assert [it[0] for it in requests if path in _read(it["path"])] == []
    picture = Attack("", b"GET /_next/image?url=%2Fa.png&w=640&q=75 HTTP/1.0\r\nHost: localhost\r\n\r\n")
    [answer] = attacks.sent(target.attacker, target.host.address, [picture])
    assert attacks.status(answer) != 403, "the UI's own pictures are refused, too"


def test_a_foreign_page_and_a_foreign_name_are_refused(target: Target) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    address = target.host.address
    own = f"http://{address}"
    expected = {
        **{(address, it): 403 for it in ("http://evil.example.org", "null", "file://")},
        **{(address, it): 403 for it in (f"{own}.evil.example", f"{own}@evil.example", f"{own}:80.evil")},
        ("evil.example.org", own): 421,
        (address, own): 101,
    }
    requests = [
        Attack("", f"GET /ws/events HTTP/1.1\r\nHost: {host}\r\n{upgrade}Origin: {origin}\r\n\r\n".encode())
        for host, origin in expected
    ]
    answers = attacks.sent(target.attacker, address, requests)
    assert dict(zip(expected, map(attacks.status, answers), strict=True)) == expected


def test_the_services_answer_no_other_host(target: Target) -> None:
    question = [Attack("", b"GET / HTTP/1.0\r\n\r\n")]
    ask = partial(attacks.sent, target.attacker, target.host.address, question)
    answers = {name: ask(port=port) for name, port in _PORTS.items()}
    assert answers == {name: ["no answer: ConnectionRefusedError"] for name in _PORTS}


def _attacked(target: Target, every: list[Attack]) -> list[re.Match[str]]:
    """Send the attacks: nothing is given away, nothing happens, and nothing looks local to the backend."""
    before, since = target.state, target.mark()
    answers = dict(
        zip((it.name for it in every), attacks.sent(target.attacker, target.host.address, every), strict=True)
    )
    granted = re.compile(r'"backups":|"updated_keys"|"restored|"backup_path"')
    assert {name: answer for name, answer in answers.items() if granted.search(answer)} == {}
    refused = {it.name: attacks.status(answers[it.name]) for it in every if it.plain}
    assert {name: answer for name, answer in refused.items() if answer not in {400, 403}} == {}
    requests = target.requests(since)
    local = [it for it in requests if it["client"] != target.attacker.address]
    # To make a page, the UI's server asks the backend for its state: by itself, whoever wants the page.
    assert [it[0] for it in local if it["method"] != "GET" or _NOT_THE_UI.search(_read(it["path"]))] == []
    # To read the settings, secrets masked, is for everybody in Venom.
    requests = [it for it in requests if "GET /api/v1/config/runtime" not in it[0]]
    of_the_host = [it for it in requests if "/config/" in _read(it["path"])]
    assert [it[0] for it in of_the_host if it["status"] == "200"] == []
    assert target.state == before
    return requests


def _read(path: str) -> str:
    """The path as its most lenient reader takes it."""
    return re.sub(r"/+", "/", unquote(unquote(path)).lower()).partition("?")[0]
