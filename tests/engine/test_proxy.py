"""The proxy of an inventory: what tools are given of it, what goes by it, and where its password is."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import paths, proxy
from engine.proxy import Way
from engine.refusal import RefusedError
from engine.resources import Absent, File
from roles.backend import deploy as backend
from roles.ollama import deploy as ollama
from roles.preflight import reach
from roles.preflight.reach import Place
from schemas.model import HostPlan
from tests.roles.plans import INVENTORY, plan

URL = "http://proxy.example.org:3128"
MIRRORS = "    mirrors: {files: ['http://192.0.2.7:8080'], ollama: '198.51.100.9:5000'}\n"


def proxied(folder: Path, password: str = "p@ss/word") -> HostPlan:
    secret = folder / f"secret-{len(password)}"
    secret.write_text(f"ada:{password}")
    secret.chmod(0o600)
    setting = f"{{url: '{URL}', except: [.example.net, 192.0.2.0/24], credentials: 'file:{secret}'}}"
    return plan(f"{INVENTORY}{MIRRORS}    proxy: {setting}\n")


def test_every_tool_gets_it_and_loopback_stays_direct(tmp_path: Path) -> None:
    variables = proxy.way(proxied(tmp_path)).variables
    url = "http://ada:p%40ss%2Fword@proxy.example.org:3128"
    assert variables["HTTPS_PROXY"] == variables["http_proxy"] == url
    assert variables["NO_PROXY"] == "localhost,127.0.0.1,::1,example.net,192.0.2.0/24,192.0.2.7", (
        "a mirror in a network is named itself: not every tool knows networks"
    )
    assert Way().variables == {}


def test_the_password_stands_in_one_file_of_roots_and_in_no_unit(tmp_path: Path) -> None:
    host_plan = proxied(tmp_path)
    file = proxy.file(proxy.way(host_plan))
    assert isinstance(file, File)
    assert (file.path, file.owner, file.mode) == (paths.PROXY, "root", "0600")
    assert "p%40ss" in file.content
    units = [
        it for it in (*backend.resources(host_plan, {}), *ollama.resources(host_plan)) if isinstance(it, File)
    ]
    assert sum("EnvironmentFile=-/etc/venom/proxy.env" in it.content for it in units) == 2
    for text in (*(it.content for it in units), repr(host_plan), repr(file), repr(proxy.way(host_plan))):
        assert "word" not in text.replace("password", "")


def test_without_a_proxy_nothing_of_it_is_there() -> None:
    assert proxy.file(proxy.way(plan())) == Absent(paths.PROXY)
    assert not any("proxy" in it.content for it in backend.resources(plan(), {}) if isinstance(it, File))


def test_another_password_restarts_what_was_started_with_the_former(tmp_path: Path) -> None:
    first, second = proxied(tmp_path), proxied(tmp_path, "another one")
    assert proxy.way(first).digest != proxy.way(second).digest
    assert first.ollama
    assert first.vram_tier
    assert first.model
    services = [
        ollama.service(it, first.ollama, first.vram_tier, first.model, gpu=False) for it in (first, second)
    ]
    assert services[0].fingerprint != services[1].fingerprint


def test_the_server_that_others_ask_by_http_gets_the_proxy_for_https_alone(tmp_path: Path) -> None:
    texts = [it.content for it in ollama.resources(proxied(tmp_path)) if isinstance(it, File)]
    assert sum("UnsetEnvironment=HTTP_PROXY http_proxy" in it for it in texts) == 1
    assert "HTTP_PROXY" in ollama.pulls_by(proxied(tmp_path)), "its registry has no TLS"


def test_a_secret_that_is_no_login_is_refused_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as error:
        proxy.way(plan(f"{INVENTORY}    proxy: {{url: '{URL}', credentials: 'command:echo hunter2'}}\n"))
    assert "user:password in proxy.credentials" in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "by_proxy"),
    [
        ("https://github.com/x", True),
        ("https://a.example.net/x", False),
        ("https://badexample.net/x", True),
        ("http://192.0.2.9:80/", False),
        ("http://127.0.0.1:8000/", False),
    ],
)
def test_what_is_excepted_is_asked_directly(url: str, by_proxy: bool) -> None:
    assert Way(URL, ("example.net", "192.0.2.0/24")).serves(url) is by_proxy
    assert not Way().serves(url)


WANTED = {"node 22": [Place("nodejs.org", 443)], "uv": [Place("python.example.org", 443)]}


def test_a_proxy_that_lets_nothing_through_is_one_finding() -> None:
    (finding,) = reach.findings(WANTED, Way(URL), "nodejs.org 443 proxy\npython.example.org 443 proxy\n")
    assert URL in finding.requirement
    assert finding.found == "no connection from the host"
    answer = "nodejs.org 443 407 Proxy Authentication Required\n"
    (finding,) = reach.findings(WANTED, Way(URL), answer)
    assert "requires a user and a password" in finding.found
    (finding,) = reach.findings(WANTED, Way(URL, credentials="a:b"), answer)
    assert "rejects them" in finding.found


def test_a_place_that_the_proxy_refuses_is_reported_with_its_answer() -> None:
    (finding,) = reach.findings(WANTED, Way(URL), "nodejs.org 443 403 Filtered\n")
    assert finding.requirement == "a source of node 22 that answers"
    assert finding.found == f"no answer from nodejs.org:443 (the proxy {URL} answers 403 Filtered)"


def test_the_question_to_the_host_says_of_each_place_how_it_is_asked() -> None:
    question = reach.question(
        WANTED | {"x": [Place("a.example.net", 80, "http://a.example.net/x")]}, Way(URL, ("example.net",))
    )
    assert question.splitlines() == [
        "proxy.example.org 3128",
        "-",
        "a.example.net 80 http://a.example.net/x direct",
        "nodejs.org 443 - proxy",
        "python.example.org 443 - proxy",
    ]
