"""The door, from other machines: who comes in, what passes, what is closed, and how it changes and back."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lab.hosts import Host
from tests.lab import comparison, provisioning, visitor
from tests.lab.provisioning import Result
from tests.lab.serving import NAMED, Serving
from tests.lab.visitor import LIGHT, Answer

# Somebody's own table in the packet filter.
_MINE = "somebody"
_SITE = "/etc/nginx/conf.d/venom.conf"
# Sound until a site has TLS: nginx has nothing to use the curve for before.
_TRAP, _TRAPPED = "/etc/nginx/conf.d/somebody.conf", "ssl_ecdh_curve no-such-curve;\n"
# What the way to here leaves where it shall: what one can go back to, and its certificates.
_LEFT_OUT = {
    **NAMED,
    r"/etc/venom/certificates/.": "of generations that are kept",
    r"/opt/(venom|ollama)/.": "of generations that are kept, those of earlier tests among them",
}
# Follows a task as a browser does, and prints how far the task was when its first event came.
_FOLLOW = """
import json, sys, urllib.request
tasks = sys.argv[1]
question = json.dumps({"content": "Count to twenty in words.", "store_knowledge": False}).encode()
request = urllib.request.Request(tasks, question, {"Content-Type": "application/json"})
task = tasks + "/" + json.load(urllib.request.urlopen(request))["task_id"]
stream = urllib.request.urlopen(task + "/stream")
events = [next(line for line in stream if line.startswith(b"event:")).decode()]
then = json.load(urllib.request.urlopen(task))["status"]
events += [line.decode() for line in stream if line.startswith(b"event:")]
print(json.dumps({"then": then, "events": [it.split(":")[1].strip() for it in events]}))
"""


@dataclass(frozen=True)
class Door:
    """A door of the shared host, and another that may come in. This machine may not."""

    host: Host
    client: Host
    serving: Serving
    folder: Path
    run: Result
    before: dict[str, str]  # the host, as `comparison.describe` does

    def ask(self, path: str, *arguments: str, scheme: str = "http", port: int | None = None) -> Answer:
        """What the client is answered."""
        place = self.host.address if port is None else f"{self.host.address}:{port}"
        line = ["curl", "--silent", "--insecure", "--path-as-is", "--max-time", "60"]
        line += ["--write-out", "\n%{http_code}", *arguments, f"{scheme}://{place}{path}"]
        body, _, status = self.client.run(line, check=False).stdout.rpartition("\n")
        return Answer(int(status), body)

    def run_again(self) -> Result:
        """The main job with what it was run with last."""
        return provisioning.run(self.folder / "fleet.py").check()

    def change(self, **settings: object) -> Result:
        """The main job with another door."""
        declared = self.serving.of_light(door=settings) if settings else self.serving.of_light()
        return provisioning.run(provisioning.inventory(self.folder, declared))


@pytest.fixture(scope="module")
def lan(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Door:
    """Open to one other host."""
    folder = tmp_path_factory.mktemp("door")
    declared = serving.of_light(door=_lan(serving))
    before = comparison.describe(serving.light, left_out=_LEFT_OUT)
    processes = visitor.processes(serving.light, LIGHT)
    run = provisioning.run(provisioning.inventory(folder, declared)).check()
    assert visitor.processes(serving.light, LIGHT) == processes, "nobody but nginx is concerned"
    return Door(serving.light, serving.off, serving, folder, run, before)


@pytest.fixture(scope="module")
def secure(lan: Door) -> Door:
    """The same with a certificate that the host makes, a password, a firewall, and Ollama for others."""
    lan.host.run(f"nft add table ip {_MINE}; nft add chain ip {_MINE} mine")
    made = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input="sesame\n", capture_output=True, text=True, check=True
    )
    reference = lan.folder / "ada"
    reference.write_text(made.stdout)
    reference.chmod(0o600)
    users, clients = {"ada": f"file:{reference}"}, {"allow_from": [lan.client.address]}
    settings = {**_lan(lan.serving), "tls": "self-made", "users": users, "ollama": clients, "firewall": True}
    run = lan.change(**settings).check()
    assert made.stdout.strip() not in run.output
    assert lan.change(**settings).check().changed_operations == []
    return replace(lan, run=run)


def _lan(serving: Serving) -> dict[str, object]:
    return {"exposure": "lan", "allow_from": [serving.off.address], "names": ["venom.example.org"]}


# -- open to a network -------------------------------------------------------------------------------


def test_whom_it_names_comes_in_and_others_are_refused(lan: Door) -> None:
    assert f"open http://{lan.host.address}" in lan.run.endings["light"]
    assert "<title>" in lan.ask("/").body
    assert lan.ask("/api/v1/system/status").json()["version"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"http://{lan.host.address}/", timeout=30)
    assert visitor.fetch(lan.host, "http://127.0.0.1/api/v1/system/status").status == 200


def test_a_second_run_changes_nothing(lan: Door) -> None:
    assert lan.change(**_lan(lan.serving)).check().changed_operations == []


def test_nothing_but_the_door_and_ssh_listens_to_others(lan: Door) -> None:
    places = {it for it in visitor.listening(lan.host) if not it.startswith(("127.", "[::1]"))}
    assert places == {"0.0.0.0:80", "0.0.0.0:22", "[::]:22"}


def test_another_name_is_refused_and_a_declared_one_is_not(lan: Door) -> None:
    assert lan.ask("/", "--header", "Host: evil.example.org").status == 421
    assert "door.names" in lan.ask("/", "--header", "Host: evil.example.org").body
    assert lan.ask("/", "--header", "Host: venom.example.org").status == 200


def test_a_remote_client_is_remote_to_venom_and_cannot_start_or_stop_services(lan: Door) -> None:
    body = ("--json", json.dumps({"updates": {}}))
    for claim in ("X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1"):
        assert lan.ask("/api/v1/config/runtime", *body, "--header", claim).status == 403
    for path in ("/api/v1/runtime/ollama/stop", "//api/v1/%72untime/ollama/stop", "/x/../api/v1/runtime/a/b"):
        answer = lan.ask(path, "--request", "POST")
        assert answer.status == 403
        assert "Closed at the door" in answer.body


def test_a_stream_of_events_comes_as_it_is_written(lan: Door) -> None:
    answer = lan.client.run(["python3", "-c", _FOLLOW, f"http://{lan.host.address}/api/v1/tasks"])
    followed = json.loads(answer.stdout)
    assert followed["then"] != "COMPLETED", "the first event came with the last one"
    assert (followed["events"][0], followed["events"][-1]) == ("task_update", "task_finished")


def test_the_websocket_speaks_and_not_to_a_page_of_another_site(lan: Door) -> None:
    address = f"ws://{lan.host.address}/ws/events"
    assert visitor.first_event(lan.client, address)["type"] == "SYSTEM_LOG"
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    headers = [part for it in (*upgrade, "Origin: https://evil.example.org") for part in ("--header", it)]
    assert lan.ask("/ws/events", *headers).status == 403


def test_what_was_changed_by_hand_and_read_by_nginx_is_changed_back_and_read_again(lan: Door) -> None:
    lan.host.run(f"sed -i 's/    deny all;/    allow all;/' {_SITE}; systemctl reload nginx")
    patience = ["--retry", "60", "--retry-delay", "1", "--retry-all-errors", "--fail", "--silent"]
    subprocess.run(
        ["curl", *patience, f"http://{lan.host.address}/meta.json"], check=True, capture_output=True
    )
    lan.change(**_lan(lan.serving)).check()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"http://{lan.host.address}/", timeout=30)


def test_where_the_backend_is_away_the_door_says_so_in_words(lan: Door) -> None:
    lan.host.run("systemctl stop venom-backend")
    try:
        answer = lan.ask("/api/v1/system/status")
        assert (answer.status, "backend does not answer" in answer.body) == (502, True)
    finally:
        lan.host.run("systemctl start venom-backend")
        visitor.await_answer(lan.host, f"{visitor.BACKEND}/healthz")


# -- changes that fail -------------------------------------------------------------------------------


def test_a_site_that_nginx_does_not_take_is_taken_back_with_its_own_words(lan: Door) -> None:
    before = lan.host.read(_SITE)
    lan.host.put(_TRAPPED, _TRAP)
    failed = lan.change(**{**_lan(lan.serving), "tls": "self-made"})
    assert failed.status != 0
    ending = failed.endings["light"]
    assert "Door rejects its new configuration:" in ending
    assert "no-such-curve" in ending
    assert "What served before serves again" in ending
    assert lan.host.read(_SITE) == before
    assert lan.ask("/api/v1/system/status").status == 200
    lan.host.run(["rm", _TRAP])


def test_an_nginx_that_is_broken_already_and_a_port_of_another_site_are_refused(lan: Door) -> None:
    lan.host.put("server { listen 8081; }\nno_such_directive on;\n", _TRAP)
    broken = lan.change(**{**_lan(lan.serving), "port": 8081}).endings["light"]
    assert 'found     [emerg] unknown directive "no_such_directive"' in broken
    lan.host.put("server { listen 8081; }\n", _TRAP)
    taken = lan.change(**{**_lan(lan.serving), "port": 8081}).endings["light"]
    assert "required  port 8081 for the door alone" in taken
    assert f"found     another site of nginx listens there: {_TRAP} (listen 8081)" in taken
    assert lan.ask("/").status == 200
    lan.host.run(["rm", _TRAP])


def test_who_reloads_nginx_with_something_else_is_found_out_and_mended(lan: Door) -> None:
    lan.host.run(f"cp -a {_SITE} /root/site; sed -i 's/return 200 ./&0/' {_SITE}; systemctl reload nginx")
    lan.host.run("until curl -s http://127.0.0.1/.well-known/venom-door | grep -q ^0; do sleep 0.1; done")
    lan.host.run(f"cat /root/site >{_SITE}; rm /root/site")
    changed = lan.change(**_lan(lan.serving)).check().changed_operations
    assert [name for _, name in changed] == ["Lock", "Switch", "Unlock"]
    assert lan.ask("/").status == 200


# -- with a certificate, a password, and Ollama ------------------------------------------------------


def test_the_fingerprint_that_is_reported_is_that_of_the_certificate_that_is_served(secure: Door) -> None:
    get = f"import ssl; print(ssl.get_server_certificate(({secure.host.address!r}, 443)))"
    pem = secure.client.run(["python3", "-c", get]).stdout
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    fingerprint = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
    assert f"certificate of the door: SHA-256 {fingerprint}" in secure.run.endings["light"]
    status = provisioning.run(secure.folder / "fleet.py", deploy="deploy/status.py").check()
    assert fingerprint in status.output.replace("\n", "").replace(" ", "")
    keys = secure.host.run("find /etc/venom/certificates -name key.pem -printf '%m %u\\n'").stdout
    assert set(keys.splitlines()) == {"600 root"}


def test_it_asks_for_the_password(secure: Door) -> None:
    def ask(*arguments: str) -> int:
        return secure.ask("/api/v1/system/status", *arguments, scheme="https").status

    assert [ask(), ask("--user", "ada:open"), ask("--user", "ada:sesame")] == [401, 401, 200]
    assert secure.ask("/", scheme="http").status == 0, "the former port is closed"
    assert secure.host.run("stat -c '%a %U' /etc/venom/door/users").stdout == "400 www-data\n"


def test_other_machines_ask_ollama_and_change_nothing_in_its_store(secure: Door) -> None:
    def ask(path: str, *arguments: str) -> Answer:
        return secure.ask(path, "--user", "ada:sesame", *arguments, scheme="https", port=11435)

    (model,) = ask("/api/tags").json()["models"]
    body = json.dumps(
        {"model": model["name"], "prompt": "Hi", "stream": False, "options": {"num_predict": 2}}
    )
    assert ask("/api/generate", "--json", body).json()["done"] is True
    for method, path in (
        *(("POST", "/api/pull"), ("DELETE", "/api/delete"), ("POST", "/api/copy"), ("POST", "/api/create")),
        *(("POST", "/api/push"), ("POST", "//api/%70ull"), ("POST", "/api/tags"), ("HEAD", "/api/blobs/x")),
    ):
        arguments = ("--head",) if method == "HEAD" else ("--request", method)
        assert ask(path, *arguments).status == 403, path
    assert secure.ask("/api/tags", scheme="https", port=11435).status == 401


def test_the_firewall_drops_whom_the_door_would_refuse_and_touches_no_other_table(secure: Door) -> None:
    with pytest.raises(TimeoutError):
        socket.create_connection((secure.host.address, 443), timeout=3)
    assert secure.host.run(f"nft list table ip {_MINE}").stdout.count("chain") == 1
    secure.host.run("nft delete table inet venom")
    assert secure.run_again().changed_operations == [("light", name) for name in ("Lock", "Switch", "Unlock")]
    with pytest.raises(TimeoutError):
        socket.create_connection((secure.host.address, 443), timeout=3)


def test_the_way_back_leads_over_a_change_of_the_door(secure: Door) -> None:
    back = provisioning.run(secure.folder / "fleet.py", deploy="deploy/rollback.py").check()
    assert "serves" in back.endings["light"]
    assert secure.ask("/api/v1/system/status", scheme="http").status == 200
    assert secure.ask("/", scheme="https").status == 0
    tables = secure.host.run("nft list tables").stdout
    assert ("inet venom" in tables, _MINE in tables) == (False, True)
    assert secure.host.run("ls /etc/venom/door").stdout == ""


def test_back_on_loopback_the_host_is_as_it_was(secure: Door) -> None:
    secure.change().check()
    secure.host.run(f"nft delete table ip {_MINE}")
    assert secure.change().check().changed_operations == []
    assert secure.ask("/").status == 0
    now = comparison.describe(secure.host, left_out=_LEFT_OUT)
    assert comparison.differences(_without(secure.before), _without(now)) == []


def _without(described: dict[str, str]) -> dict[str, str]:
    return {
        thing: how for thing, how in described.items() if not thing.startswith("/etc/venom/certificates/")
    }
