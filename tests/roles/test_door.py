"""The site that nginx reads, the secrets that it is given, and what a host's own nginx has against it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from engine import paths
from engine.refusal import RefusedError
from engine.resources import File
from engine.services import Service
from roles.door import nginx, own_certificate, site
from roles.door.deploy import opened, resources, service
from roles.door.secrets import Revealed, revealed
from roles.door.site import Inner
from schemas.model import Door, HostPlan, OllamaClients, Secret
from tests.roles.plans import plan

HASH = "$6$Zs0c4DnV0d1h2X9S$" + "a" * 86


def with_door(**settings: object) -> HostPlan:
    it = plan()
    return replace(it, door=replace(it.door, **settings))  # type: ignore[arg-type]


def text(it: HostPlan) -> str:
    return site.text(it.door, Inner.of(it), "F", certificate="", key="", users="")


def served(it: HostPlan, secrets: Revealed) -> Service:
    return service(it.door, Inner.of(it), secrets)


def test_every_way_to_backend_and_ui_says_where_the_request_comes_from() -> None:
    written = text(with_door(exposure="lan", allow_from=("10.0.0.0/8",), runtime_control=False))
    ways = [it for it in written.split("location ")[1:] if "proxy_pass" in it]
    assert len(ways) == 5
    for way in ways:
        assert "proxy_set_header X-Forwarded-For $remote_addr;" in way
        assert "proxy_set_header X-Real-IP $remote_addr;" in way
        for name in site.CLEARED:
            assert f'proxy_set_header {name} "";' in way


def test_it_listens_no_wider_than_who_may_come_in() -> None:
    assert "listen 127.0.0.1:80 default_server;" in text(plan())
    lan = text(with_door(exposure="lan", allow_from=("10.0.0.0/8",)))
    assert "listen 0.0.0.0:80" in lan
    assert "[::]" not in lan
    six = text(with_door(exposure="lan", allow_from=("fd00:1::/64",)))
    assert "listen 127.0.0.1:80" in six
    assert "listen [::]:80" in six
    assert "allow ::1;" in six
    for it in (lan, six):
        assert it.index("allow 127.0.0.1;") < it.index("deny all;")


def test_control_of_the_runtime_is_open_only_where_that_is_asked_for() -> None:
    assert "^/api/v1/runtime" in text(plan())
    assert "^/api/v1/runtime" not in text(with_door(runtime_control=True))


def test_the_fingerprint_follows_everything_that_nginx_reads() -> None:
    users = with_door(users={"ada": Secret("env", "ADA")})
    of = [
        served(plan(), Revealed()),
        served(with_door(port=8080), Revealed()),
        served(users, Revealed(users=f"ada:{HASH}\n")),
        served(users, Revealed(users=f"ada:{HASH[:-1]}b\n")),
        served(with_door(ollama=OllamaClients(("10.0.0.1/32",), 11435)), Revealed()),
    ]
    assert len({it.fingerprint for it in of}) == len(of)
    assert served(plan(), Revealed()) == of[0]


def test_secrets_are_in_files_that_only_their_reader_can_read() -> None:
    it = with_door(tls="own", certificate="/c", key=Secret("file", "/k"), users={"ada": Secret("env", "ADA")})
    files = {
        r.path: r
        for r in resources(it.door, Inner.of(it), Revealed("ada:x\n", "CERT", "KEY"))
        if isinstance(r, File)
    }
    assert (files[f"{paths.DOOR}/users"].owner, files[f"{paths.DOOR}/users"].mode) == ("www-data", "0400")
    assert (files[f"{paths.DOOR}/key.pem"].owner, files[f"{paths.DOOR}/key.pem"].mode) == ("root", "0600")


def test_the_operator_reads_one_address_or_one_tunnel() -> None:
    assert opened(plan().door, "192.0.2.10", "-p 2222 root@192.0.2.10") == (
        "open http://127.0.0.1:8000 while this runs: ssh -N -L 8000:127.0.0.1:80 -p 2222 root@192.0.2.10"
    )
    lan = with_door(exposure="lan", allow_from=("10.0.0.0/8",), tls="self-made", port=443)
    assert opened(lan.door, "192.0.2.10", "root@192.0.2.10") == "open https://192.0.2.10"


@pytest.mark.parametrize("secret", ["swordfish", "$6$", "$6$salt$x y", "ada:$6$" + "a" * 90])
def test_a_password_that_is_no_hash_is_refused_and_not_shown(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADA_OF_THIS_TEST" + str(len(secret)), secret)
    door = with_door(users={"ada": Secret("env", "ADA_OF_THIS_TEST" + str(len(secret)))}).door
    with pytest.raises(RefusedError) as caught:
        revealed(door)
    assert "door.users.ada" in str(caught.value)
    assert "openssl passwd -6" in str(caught.value)
    assert secret not in str(caught.value)


def test_what_openssl_makes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    made = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input="swordfish\n", text=True, capture_output=True, check=True
    ).stdout
    monkeypatch.setenv("BEA_OF_THIS_TEST", made)
    door = with_door(users={"bea": Secret("env", "BEA_OF_THIS_TEST")}).door
    assert revealed(door).users == f"bea:{made.strip()}\n"


def _pair(folder: Path, name: str) -> tuple[Path, Path]:
    key, pem = folder / f"{name}.key", folder / f"{name}.pem"
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    line += ["-subj", f"/CN={name}", "-days", "1", "-keyout", str(key), "-out", str(pem)]
    subprocess.run(line, check=True, capture_output=True)
    return pem, key


def test_a_certificate_and_the_key_of_another_are_refused_and_a_pair_is_taken(tmp_path: Path) -> None:
    pem, key = _pair(tmp_path, "one")
    _, other = _pair(tmp_path, "other")
    door: Door = with_door(tls="own", certificate=str(pem), key=Secret("file", str(key))).door
    assert revealed(door).key == key.read_text()
    with pytest.raises(RefusedError, match="the key of another certificate"):
        revealed(replace(door, key=Secret("file", str(other))))
    assert [it.found for it in own_certificate.findings("none", "none")] == ["one that cannot be read"]


def test_what_nginx_on_a_host_has_against_the_door_is_reported_at_once() -> None:
    lines = [
        "broken=nginx: [emerg] unknown directive in /etc/nginx/conf.d/x.conf:1",
        "user=nginx",
        "listen=/etc/nginx/sites-enabled/shop *:80",
        "listen=/etc/nginx/sites-enabled/default 80",
        "listen=/etc/nginx/sites-enabled/other [::]:8080",
        f"listen={paths.SITE} 127.0.0.1:80",
    ]
    found = nginx.findings(plan().door, lines, ["/etc/nginx/sites-enabled/default"])
    assert [it.requirement for it in found] == [
        "an nginx configuration that is valid without our site",
        "the distribution's nginx, whose workers run as www-data",
        "port 80 for the door alone",
    ]
    assert "shop (listen *:80)" in found[-1].found
    assert nginx.findings(plan().door, lines[4:5], []) == []


@pytest.mark.parametrize(
    ("place", "port"), [("80", 80), ("*:81", 81), ("[::]:82", 82), ("[::1]", 80), ("box", 80)]
)
def test_the_port_of_a_listen_directive(place: str, port: int) -> None:
    found = nginx.findings(with_door(port=port).door, [f"listen=/x {place}"], [])
    assert len(found) == 1
