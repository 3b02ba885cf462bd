"""Every lock of the repository: it names what it is of, pins each package by digest, and is light."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from roles.backend.lock import FOLDER, name
from roles.backend.requires import chain, listed
from schemas.data.contract import contract
from schemas.data.dependencies import EXCLUDED, matrix
from schemas.data.pins import load as load_pins
from schemas.data.systems import architectures, systems
from schemas.plan.host import assumed_hardware, plan_host
from tests.roles.plans import declared

LOCKS = sorted(FOLDER.glob("*/*.txt"))
_PACKAGE = re.compile(r"(?m)^(?P<name>[a-z0-9.\-]+)(\[[a-z0-9,\-]+\])?==(?P<version>\S+)")


def _id(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_there_is_a_lock_of_every_pinned_release() -> None:
    pins, _ = load_pins()
    assert pins is not None
    assert {path.parent.name for path in LOCKS} == set(pins.releases)


@pytest.mark.parametrize("profile", list(contract().profiles))
@pytest.mark.parametrize("release", sorted({path.parent.name for path in LOCKS}))
def test_a_pinned_release_has_a_lock_for_every_host_that_asks_for_nothing_special(
    release: str, profile: str
) -> None:
    host = declared(f"hosts: {{box: {{profile: {profile}, venom: {{release: {release}}}}}}}")
    for arch in architectures():
        for python in ("", *(f"{it.python}.2" for it in systems().values())):
            plan = plan_host(host, replace(assumed_hardware(host), arch=arch, python=python))
            assert (FOLDER / release / name(plan)).exists()


@pytest.mark.parametrize("path", LOCKS, ids=_id)
def test_its_head_names_what_it_is_of_as_its_file_does(path: Path) -> None:
    pins, _ = load_pins()
    assert pins is not None
    parts = re.fullmatch(r"(?P<tier>.+)-py(?P<python>[0-9.]+)-(?P<arch>amd64|arm64)", path.stem)
    assert parts
    first, inputs, cut_off, *_ = path.read_text(encoding="utf-8").splitlines()
    commit = pins.releases[path.parent.name].commit
    assert first == f"# {parts['tier']} of {commit}, Python {parts['python']}, {parts['arch']}"
    assert re.fullmatch("# inputs: [0-9a-f]{64}", inputs)
    assert re.fullmatch("# cut-off: [0-9]{4}-[0-9]{2}-[0-9]{2}T00:00:00Z", cut_off)


@pytest.mark.parametrize("path", LOCKS, ids=_id)
def test_every_package_has_digests_and_none_an_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    packages = [it["name"] for it in _PACKAGE.finditer(text)]
    # Each entry goes from its name to the next one's.
    entries = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
    assert len(packages) == len(entries) == len(listed(text)) > 100
    assert [it.splitlines()[0] for it in entries if not re.search("--hash=sha256:[0-9a-f]{64}", it)] == []
    assert "://" not in text
    assert not re.search(r"(?m)^\s*--(index|extra-index|find-links|trusted)", text)


@pytest.mark.parametrize("path", LOCKS, ids=_id)
def test_none_has_what_a_light_environment_must_not_have_but_for_what_it_is_named_by(path: Path) -> None:
    known, names = matrix(), listed(path.read_text(encoding="utf-8"))
    tiers = path.stem.rpartition("-py")[0].split("+")
    named = {contract().requirements[it].kind for it in tiers} - {"core-light"}
    heavy = {it: decided.kind for it in names if (decided := known.of(it)) and decided.decision == EXCLUDED}
    # What such a package requires comes with it.
    unasked = [it for it in heavy if not named & {heavy.get(one) for one in chain(names, it)}]
    assert unasked == []
