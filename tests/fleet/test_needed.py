"""What hosts need from elsewhere, read out of the source and the lock that they get."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.environment import Lock
from engine.release import Release
from fleet.builds import Build
from fleet.needed import NPM_LOCK, read_for
from roles.source.archive import pack
from schemas.hardware import MODERN
from schemas.model import HostPlan, Source
from schemas.plan import item as kinds
from schemas.plan.items import items
from tests.roles.plans import declared, plan

LAB = Path(__file__).parents[2] / "lab" / "venom"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """The parts of a release that is made of a small tree."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = tmp_path / "venom"
    (tree / NPM_LOCK).parent.mkdir(parents=True)
    shutil.copyfile(LAB / NPM_LOCK, tree / NPM_LOCK)
    archive = pack(Source("tree", str(tree), "", "v1.9.0"))
    lock = Lock(tmp_path / "lock.txt", f"six==1.17.0 --hash=sha256:{'a' * 64}\n", "b" * 64, fresh=False)
    return Build(Release.of(plan(), archive.key, "web", lock.sha256), archive, lock)


def _kinds(of: HostPlan, build: Build) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for it in items(of, declared().pins, read_for(of, build)):
        found.setdefault(it.kind, []).append(it.name)
    return found


def test_lock_and_source_say_what_comes_besides_the_pins(build: Build) -> None:
    found = _kinds(plan(), build)
    assert "six 1.17.0" in found[kinds.PACKAGE]
    assert [it for it in found[kinds.TARBALL] if it.startswith("next ")]
    assert "nginx" in found[kinds.DEBIAN]
    assert build.archive
    source = next(it for it in items(plan(), declared().pins, read_for(plan(), build)) if it.kind == "source")
    assert source.digests == (f"sha256:{build.archive.sha256}",)


def test_what_runs_containers_comes_where_there_are_any(build: Build) -> None:
    assert "podman" not in _kinds(plan(), build)[kinds.DEBIAN]
    assert "podman" in _kinds(replace(plan(), engine=MODERN), build)[kinds.DEBIAN]
