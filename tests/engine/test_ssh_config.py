"""~/.ssh/config counts where the inventory says nothing, and never ends in a riddle."""

from __future__ import annotations

import getpass
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.connection.ssh_config import Login, resolve
from engine.refusal import RefusedError

ME = getpass.getuser()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an empty ~/.ssh."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def login(home: Path, text: str, name: str = "box", **settings: Any) -> Login:
    (home / ".ssh" / "config").write_text(text)
    return resolve(name, **settings)


ALIAS = """\
Host box
  HostName 192.0.2.10
  Port 2222
  User ada
  IdentityFile ~/.ssh/for-box
  UserKnownHostsFile ~/.ssh/ours "/tmp/with space"
  ConnectTimeout 7
"""


def test_an_alias_gives_what_the_inventory_does_not_say(home: Path) -> None:
    it = login(home, ALIAS)
    assert (it.host, it.port, it.user, it.timeout) == ("192.0.2.10", 2222, "ada", 7)
    assert it.keys == (str(home / ".ssh/for-box"),)
    assert it.known_hosts[:2] == (str(home / ".ssh/ours"), "/tmp/with space")
    assert str(it) == "box, ada@192.0.2.10 port 2222"
    assert it.known_name == "[192.0.2.10]:2222"


def test_what_the_inventory_says_wins_over_the_alias(home: Path) -> None:
    it = login(home, ALIAS, port=22, user="root", key="/k", known_hosts="/known")
    assert (it.host, it.port, it.user) == ("192.0.2.10", 22, "root")
    assert (it.keys, it.only_keys) == (("/k",), True)
    assert it.known_hosts[0] == "/known"


def test_without_a_file_it_is_root_on_port_22(home: Path) -> None:
    it = resolve("box")
    assert (it.host, it.port, it.user, it.through) == ("box", 22, "root", None)
    assert it.known_hosts == (
        str(home / ".ssh/known_hosts"),
        str(home / ".ssh/known_hosts2"),
        "/etc/ssh/ssh_known_hosts",
        "/etc/ssh/ssh_known_hosts2",
    )


def test_jump_hosts_are_reached_as_the_file_says_one_through_the_other(home: Path) -> None:
    text = "Host box\n ProxyJump first,eve@second:2022\nHost first\n HostName 192.0.2.1\nHost *\n Port 2200\n"
    it = login(home, text)
    second = it.through
    assert second is not None
    assert (second.host, second.port, second.user) == ("second", 2022, "eve")
    assert second.through is not None
    assert (second.through.host, second.through.port, second.through.user) == ("192.0.2.1", 2200, ME)
    assert second.through.through is None
    assert str(it) == (
        f"root@box port 2200, through eve@second port 2022, through first, {ME}@192.0.2.1 port 2200"
    )


@pytest.mark.parametrize(
    "jump", ["[2001:db8::1]:2022", "ssh://[2001:db8::1]:2022", "ssh://[2001:db8::1]:2022/"]
)
def test_a_jump_host_may_have_any_address(home: Path, jump: str) -> None:
    through = login(home, f"Host box\n ProxyJump {jump}\n").through
    assert through is not None
    assert (through.host, through.port) == ("2001:db8::1", 2022)


@pytest.mark.parametrize("none", ["none", "None", "NONE"])
def test_no_jump_host_is_no_host_of_that_name(home: Path, none: str) -> None:
    """pyinfra looks up a host "none" (pyinfra#1445)."""
    assert login(home, f"Host box\n ProxyJump {none}\nHost *\n ProxyJump bastion\n").through is None


@pytest.mark.parametrize(
    "text",
    [
        "Host *\n ProxyJump bastion\n",
        "Host box\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump box\n",
    ],
)
def test_a_jump_host_that_is_reached_through_itself_is_reported(home: Path, text: str) -> None:
    """pyinfra does not end there (pyinfra#728)."""
    with pytest.raises(RefusedError) as refused:
        login(home, text)
    assert "through itself: box →" in refused.value.findings[0].found
    assert "ProxyJump none" in refused.value.findings[0].remedy


@pytest.mark.parametrize(
    "text",
    [
        "Match unheard-of\n",
        "Host box\n Port many\n",
        "Host box\n Port 99999\n",
        "just words and nothing\n Host",
        "Include config\n",
        "Host box\n ProxyJump @@@\n",
        'Host box\n UserKnownHostsFile "open\n',
        "\xff\xfe",
    ],
)
def test_a_file_that_cannot_be_understood_ends_in_words_or_is_passed_over(home: Path, text: str) -> None:
    with suppress(RefusedError):
        login(home, text)


def test_files_are_included_from_beside_the_file(home: Path) -> None:
    (home / ".ssh" / "conf.d").mkdir()
    (home / ".ssh" / "conf.d" / "a").write_text("Host box\n HostName 192.0.2.9\n")
    assert login(home, "Include conf.d/* none.conf\nHost *\n User eve\n").host == "192.0.2.9"


def test_a_file_of_known_hosts_that_is_none_is_kept_nowhere(home: Path) -> None:
    assert login(home, "Host *\n UserKnownHostsFile none\n").known_hosts[0] == "/dev/null"
