"""What comes broken is not put in place: the operator reads what came, and what served goes on serving."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import fleet
from lab.hosts import Host
from lab.upstream_pins import PINS
from tests.lab import provisioning, upstream_faults, visitor
from tests.lab.conftest import Provision
from tests.lab.provisioning import Result
from tests.lab.serving import Serving, of
from tests.lab.visitor import LIGHT, OLLAMA, UI

_OLD, _NEW = "0.24.0", "0.32.15"
_RELEASE = f"github.com/ollama/ollama/releases/download/v{_NEW}/ollama-linux-amd64.tar.zst"


@dataclass(frozen=True)
class State:
    """What a host serves: processes, release, models."""

    processes: Mapping[str, int]
    release: str
    receipt: Mapping[str, Any]
    models: Mapping[str, str]  # name → digest

    @classmethod
    def of(cls, host: Host) -> State:
        """The state of a host of the profile light."""
        models = visitor.fetch(host, f"{OLLAMA}/api/tags").json()["models"]
        return cls(
            visitor.processes(host, LIGHT),
            host.run("readlink -f /opt/venom/current").stdout.strip(),
            visitor.receipt(host),
            {model["name"]: model["digest"] for model in models},
        )


@dataclass(frozen=True)
class Round:
    """One run against all twins, each with a fault of its own."""

    hosts: Mapping[str, Host]
    before: Mapping[str, State]
    result: Result


@pytest.fixture(scope="module")
def twins(serving: Serving) -> list[Host]:
    """Four copies of a host that serves."""
    return serving.copies(*["light"] * 4)


# -- downloads --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def upgrade(twins: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Round:
    """Another version of Ollama is asked for, and comes broken in four ways."""
    hosts = dict(zip(("wrong", "gone", "cut", "hung"), twins, strict=True))
    with upstream_faults.faults() as faults:
        faults.add(hosts["wrong"], "wrong", _RELEASE)
        faults.add(hosts["gone"], "gone", _RELEASE)
        faults.add(hosts["cut"], "truncate", _RELEASE)
        faults.add(hosts["hung"], "hang", _RELEASE, times=1)
        settings = {name: {"ollama": {"version": _NEW}} for name in hosts}
        return _round(hosts, settings, tmp_path_factory.mktemp("upgrade"))


@pytest.mark.parametrize(
    ("name", "patterns"),
    [
        (
            "wrong",
            ["source    http://.*{release}", "expected  sha256 {digest}", "found     sha256 [0-9a-f]+"],
        ),
        ("gone", ["source    http://.*{release}", "answered  .*404"]),
        ("cut", ["source    http://.*{release}", "answered  .*\\(18\\)", "received  [0-9]+ bytes"]),
    ],
)
def test_a_file_that_comes_broken_is_reported_with_its_source_and_what_came(
    upgrade: Round, name: str, patterns: list[str]
) -> None:
    pins = yaml.safe_load(PINS.read_text())
    digest = pins["artifacts"]["ollama"][_NEW]["amd64"]["sha256"]
    ending = upgrade.result.endings[name]
    assert f"Ollama {_NEW} failed; what it made is not in place" in ending
    for pattern in patterns:
        assert re.search(pattern.format(release=re.escape(_RELEASE), digest=digest), ending), ending
    assert "could not be had from any source" in ending


@pytest.mark.parametrize("name", ["wrong", "gone", "cut"])
def test_nothing_of_a_broken_file_is_left_and_the_old_version_serves_on(upgrade: Round, name: str) -> None:
    host = upgrade.hosts[name]
    assert visitor.parts(host) == ""
    assert host.run("ls /var/cache/venom | grep -c ollama", check=False).stdout == "0\n"
    assert _NEW not in host.run("ls /opt/ollama").stdout
    assert State.of(host) == upgrade.before[name]
    assert visitor.fetch(host, f"{OLLAMA}/api/version").json()["version"] == _OLD


def test_a_download_that_hangs_is_ended_and_taken_up_where_it_was(upgrade: Round) -> None:
    host = upgrade.hosts["hung"]
    assert "serves" in upgrade.result.endings["hung"], upgrade.result.endings["hung"]
    assert visitor.fetch(host, f"{OLLAMA}/api/version").json()["version"] == _NEW
    assert visitor.parts(host) == ""
    assert visitor.chat(host, "Which version are you?").status == "COMPLETED"
    # The speed limit ends it after 20 seconds, not curl's patience.
    assert upgrade.result.seconds < 120


# -- releases ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def release(upgrade: Round, twins: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Round:
    """A model that the registry has not, and two trees with a fault each."""
    folder = tmp_path_factory.mktemp("release")
    hosts = dict(zip(("unknown", "import", "page"), twins, strict=False))
    settings: dict[str, dict[str, Any]] = {
        "unknown": {"model": "gemma3:1b"},
        "import": {"venom": {"tree": str(_unimportable(folder))}},
        "page": {"venom": {"tree": str(_unbuildable(folder))}},
    }
    return _round(hosts, settings, folder)


def test_a_model_that_the_registry_has_not_is_reported_with_its_source(release: Round) -> None:
    ending = release.result.endings["unknown"]
    assert "Weights gemma3:1b failed" in ending
    assert "source    10.77.0.1:5000/library/gemma3:1b" in ending
    assert re.search("answered  .*file does not exist", ending)
    assert State.of(release.hosts["unknown"]) == release.before["unknown"]


def test_a_release_that_does_not_import_is_refused_with_python_s_words_and_the_old_serves_on(
    release: Round,
) -> None:
    ending = release.result.endings["import"]
    assert "ModuleNotFoundError: No module named 'module_that_nobody_wrote'" in ending
    assert "does not import with these packages: what serves now goes on serving" in ending
    assert State.of(release.hosts["import"]) == release.before["import"]
    assert visitor.chat(release.hosts["import"], "Still there?").status == "COMPLETED"


def test_a_ui_that_does_not_build_is_refused_with_its_first_error_and_the_old_serves_on(
    release: Round,
) -> None:
    ending = release.result.endings["page"]
    assert "Type 'string' is not assignable to type 'number'" in ending
    assert "required  a UI that builds: npm run build in web-next of /" in ending
    assert "do        name another commit, or a release, under venom" in ending
    assert "what serves now goes on serving" in ending
    host = release.hosts["page"]
    assert visitor.parts(host) == ""
    assert State.of(host) == release.before["page"]
    assert visitor.fetch(host, f"{UI}/").status == 200


def test_the_run_fails_without_a_traceback(upgrade: Round, release: Round) -> None:
    for one in (upgrade, release):
        assert one.result.status != 0
        assert 'Traceback (most recent call last):\n  File "/work' not in one.result.output


def test_weights_with_another_digest_than_the_pin_are_removed_again(
    release: Round, tmp_path: Path, provision: Provision
) -> None:
    host = release.hosts["unknown"]
    before = State.of(host)
    pin = "0" * 64
    pins = tmp_path / "wrong-pins.yaml"
    pins.write_text(yaml.safe_dump({"weights": {"gemma3:270m": {"manifest": pin}}}))
    declared = of({"pinned": (host, {})}, pins=[*fleet.default()["pins"], str(pins)])
    result = provision(declared)
    assert result.status != 0
    ending = result.endings["pinned"]
    assert "source    10.77.0.1:5000/library/gemma3:270m" in ending
    assert f"expected  manifest sha256 {pin}" in ending
    assert f"found     manifest sha256 {before.models['gemma3:270m']}" in ending
    assert "It was removed again; weights that were there before stay." in ending
    assert State.of(host) == before


# -- what the rounds are made of --------------------------------------------------------------------


def _round(hosts: Mapping[str, Host], settings: Mapping[str, dict[str, Any]], folder: Path) -> Round:
    before = {name: State.of(host) for name, host in hosts.items()}
    declared = of({name: (host, settings[name]) for name, host in hosts.items()})
    result = provisioning.run(provisioning.inventory(folder, declared))
    return Round(hosts, before, result)


def _unimportable(folder: Path) -> Path:
    tree = provisioning.own_venom(folder / "unimportable")
    main = tree / "venom_core" / "main.py"
    # Built from parts, so that the audit, which reads the text, cannot know it: Python's own word is wanted.
    name = '"_".join(["module", "that", "nobody", "wrote"])'
    main.write_text(f"{main.read_text()}\nimport importlib\nimportlib.import_module({name})\n")
    return tree


def _unbuildable(folder: Path) -> Path:
    tree = provisioning.own_venom(folder / "unbuildable")
    page = tree / "web-next" / "app" / "page.tsx"
    page.write_text(f'{page.read_text()}\nconst wrong: number = "text";\nvoid wrong;\n')
    return tree
