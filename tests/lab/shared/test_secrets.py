"""Secrets are planted, and everything that runs leave is searched for them: here, on the host, meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import ssh
from lab.hosts import Host
from lab.state import REPOSITORY
from tests.lab import provisioning, visitor
from tests.lab.serving import Serving
from tests.lab.visitor import BACKEND

_FILE = "/var/lib/venom/venom.env"
_HISTORY = "/var/lib/venom/env-history"
_STAMP = "/root/before"
# Looks at every process of the host, over and over, until its standard input ends.
_WATCH = r"""
import os, re, select, sys
marker = re.compile(sys.stdin.readline().strip().encode())
found, looks, itself = set(), 0, 0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    looks += 1
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for what in ("cmdline", "environ"):
            try:
                with open("/proc/%s/%s" % (pid, what), "rb") as file:
                    text = file.read()
                    itself += b"/root/watch.py" in text
                    if marker.search(text):
                        found.add("%s of %s" % (what, os.readlink("/proc/%s/exe" % pid)))
            except OSError:
                continue
print("looked" if min(looks, itself) > 100 else (looks, itself), *sorted(found), sep="\n")
"""
# What the host shows by other ways than its files.
_SOURCES = (
    "journalctl --quiet --sync; journalctl --quiet --output=export",
    "systemctl show '*'; systemctl cat 'venom*' ollama",
    "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ",
)


@dataclass(frozen=True)
class Planted:
    """Secrets by every kind of reference, what the runs that brought them printed, and what was seen."""

    host: Host
    marker: str  # what all of the values have in common
    references: Mapping[str, str]
    env: Mapping[str, str]  # what a run needs for them
    values: Mapping[str, str]
    printed: Mapping[str, str]  # command → its output, standard error included
    observed: str  # what the watcher on the host saw
    here: frozenset[Path]  # what holds a secret on this machine


@pytest.fixture(scope="module")
def planted(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """The host `light` with secrets, and with copies of its settings that Venom's panel made."""
    host, marker = serving.light, f"lab{os.urandom(12).hex()}"
    folder = tmp_path_factory.mktemp("secrets")
    values = {name: f"{marker}-{name.lower()}" for name in ("HF_TOKEN", "GITHUB_TOKEN", "TAVILY_API_KEY")}
    given = {name: folder / name for name in ("GITHUB_TOKEN", "TAVILY_API_KEY")}
    for name, path in given.items():
        path.write_text(f"{values[name]}\n", encoding="utf-8")
        path.chmod(0o600)
    references = {
        "HF_TOKEN": "env:LAB_TOKEN",
        "GITHUB_TOKEN": f"file:{given['GITHUB_TOKEN']}",
        "TAVILY_API_KEY": f"command:cat {given['TAVILY_API_KEY']}",
    }
    inventory = provisioning.inventory(folder, serving.of_light(secrets=references))
    temporary = folder / "tmp"
    temporary.mkdir()
    env = {**os.environ, "LAB_TOKEN": values["HF_TOKEN"], "TMPDIR": str(temporary)}
    pyinfra = str(Path(sys.executable).with_name("pyinfra"))
    run = [pyinfra, "-vvv", "--diff", "--debug"]
    plan = [sys.executable, "-m", "schemas", str(inventory.with_suffix(".yaml"))]
    with _watching(host, marker) as observed:
        host.run(f"touch {_STAMP}")
        printed = {
            "dry": _output_of([*run, "--dry", str(inventory), "deploy/venom.py"], env),
            "run": _output_of([*run, "-y", str(inventory), "deploy/venom.py"], env),
            "status": _output_of([pyinfra, "-y", "--json", str(inventory), "deploy/status.py"], env),
            "plan": _output_of(plan, env),
            "plan as JSON": _output_of([*plan, "--json"], env),
            "debug-inventory": _output_of([*run, str(inventory), "debug-inventory"], env),
        }
        update = {"updates": {"VENOM_THEME": "dark"}}
        earlier = _copies(host)
        visitor.fetch(host, f"{BACKEND}/api/v1/config/runtime", update)
        [copy] = _copies(host) - earlier
        restored = visitor.fetch(host, f"{BACKEND}/api/v1/config/restore", {"backup_filename": copy})
        assert restored.status == 200
    here = _holding(marker, folder, since=inventory)
    here -= frozenset(given.values())
    yield Planted(host, marker, references, env, values, printed, "\n".join(observed), here)
    provisioning.run(provisioning.inventory(folder, serving.of_light())).check()
    assert not set(values) & set(visitor.settings(host)), "they go with the references"


def _copies(host: Host) -> set[str]:
    """The copies of the settings that the panel has made."""
    return set(visitor.fetch(host, f"{BACKEND}/api/v1/config/backups").json()["backups"])


def test_each_reference_brings_its_secret(planted: Planted) -> None:
    settings = visitor.settings(planted.host)
    assert {name: settings[name] for name in planted.values} == planted.values


def test_nothing_that_is_printed_shows_a_secret(planted: Planted) -> None:
    assert "Switch" in planted.printed["run"]
    assert '"from_plan": []' in planted.printed["status"]
    assert "env:LAB_TOKEN" in planted.printed["plan as JSON"]
    assert "LAB_TOKEN" in planted.printed["debug-inventory"]
    assert [name for name, text in planted.printed.items() if planted.marker in text] == []


def test_on_this_machine_nothing_keeps_a_secret(planted: Planted) -> None:
    assert planted.here == frozenset()


def test_on_the_host_secrets_lie_in_files_of_root_and_the_backend_alone(planted: Planted) -> None:
    host = planted.host
    look = (
        # What was written since holds them, if anything does; nobody can set back the time of a change.
        f"find / -path /proc -prune -o -path /sys -prune -o -type f -cnewer {_STAMP} ! -path '/*/journal/*' "
        f"-exec grep -lF {planted.marker} {{}} +"
    )
    unseen = " ".join(f"/proc/{pid}/root/dev/shm" for pid in visitor.processes(host, visitor.LIGHT).values())
    found = host.run(f"{look}; grep -rlF {planted.marker} {unseen}", check=False).stdout.split()
    modes = {path: host.run(f"stat -c '%a %U:%G' {path}").stdout.strip() for path in found}
    generation = host.run("readlink -f /etc/venom/generations/current").stdout.strip()
    copies = [path for path in modes if path.startswith(f"{_HISTORY}/venom.env-")]
    assert modes == {
        _FILE: "600 venom:venom",
        # What the host takes back by itself, should a later generation not serve.
        generation: "600 root:root",
        **dict.fromkeys(copies, "600 venom:venom"),
    }
    assert copies
    folders = {"/var/lib/venom", _HISTORY, "/etc/venom/generations"}
    assert host.run(["stat", "-c", "%a", *folders]).stdout.split() == ["700"] * 3


@pytest.mark.parametrize("source", _SOURCES, ids=lambda it: it.split()[0])
def test_no_journal_unit_or_process_shows_a_secret(planted: Planted, source: str) -> None:
    # The marker comes on standard input, else the look would find itself.
    line = f"exec 3<&0; {{ {source}; }} </dev/null 2>/dev/null | grep -acF -f /dev/fd/3"
    assert planted.host.run(line, check=False, input=planted.marker).stdout == "0\n"


def test_while_they_come_no_process_has_a_secret_in_its_arguments_or_environment(planted: Planted) -> None:
    assert planted.observed == "looked"


def test_a_backend_that_shows_its_settings_as_it_dies_is_quoted_without_secrets(
    planted: Planted, serving: Serving, tmp_path: Path
) -> None:
    tree = provisioning.own_venom(tmp_path / "telling")
    startup = tree / "venom_core" / "startup.py"
    first = '    for name in ("logs",'
    text = startup.read_text(encoding="utf-8")
    assert first in text
    dies = '    raise RuntimeError(PANEL.file.read_text().replace("\\n", " "))\n'
    startup.write_text(text.replace(first, dies + first), encoding="utf-8")
    inventory = provisioning.inventory(
        tmp_path, serving.of_light(venom={"tree": str(tree)}, secrets=dict(planted.references))
    )
    result = provisioning.run(inventory, env=planted.env)
    # It is Venom's own journal that shows them, to root and who may read journals.
    assert planted.marker in planted.host.run("journalctl --quiet --unit venom-backend").stdout
    assert "(secret HF_TOKEN)" in result.endings["light"]
    assert "serves again" in result.endings["light"]
    assert planted.marker not in result.output
    assert planted.host.run(f"grep -rlF {planted.marker} /opt/venom/jobs", check=False).stdout == ""


def _output_of(line: list[str], env: Mapping[str, str]) -> str:
    """What a command prints. Whether it succeeds is seen by what it leaves."""
    done = subprocess.run(
        line,
        cwd=REPOSITORY,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    return done.stdout


@contextmanager
def _watching(host: Host, marker: str) -> Iterator[list[str]]:
    """Watch the host's processes meanwhile; what was seen is in the list afterwards."""
    observed: list[str] = []
    host.put(_WATCH, "/root/watch.py")
    # The marker travels on standard input, so the watcher does not find itself.
    line = [*ssh.command(host.address), "python3 /root/watch.py; rm /root/watch.py"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdin
        watcher.stdin.write(f"{marker}\n")
        watcher.stdin.flush()
        yield observed
        out, _ = watcher.communicate("over\n")
    observed += out.splitlines()


def _holding(marker: str, folder: Path, *, since: Path) -> frozenset[Path]:
    """What holds the marker of all that was written on this machine since that file was."""
    cache = Path(os.environ["XDG_CACHE_HOME"])
    places = [REPOSITORY, cache, folder, Path("~/.ssh").expanduser(), Path("/var/log")]
    line = ["find", *map(str, places), "-name", ".git", "-prune", "-o", "-type", "f", "-cnewer", str(since)]
    found = subprocess.run(
        [*line, "-exec", "grep", "-lF", marker, "{}", "+"], capture_output=True, text=True, check=False
    )
    return frozenset(map(Path, found.stdout.splitlines()))
