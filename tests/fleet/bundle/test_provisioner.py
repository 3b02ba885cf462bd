"""A bundle brings the provisioner itself: what is cloned from it is what made it."""

from __future__ import annotations

import subprocess
from importlib.metadata import distributions
from pathlib import Path

import pytest

from engine.refusal import RefusedError
from fleet.bundle import provisioner
from tests.roles.package_index import index


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with two commits."""
    folder = tmp_path / "repository"
    folder.mkdir()
    _git(folder, "init", "--quiet", "--initial-branch=main")
    for text in ("one", "two"):
        (folder / "file").write_text(text, encoding="utf-8")
        _git(folder, "add", "file")
        _git(folder, "commit", "--quiet", "--message", text)
    return folder


def test_a_clone_of_the_bundle_has_the_commit_the_branch_and_the_history(root: Path, tmp_path: Path) -> None:
    file = provisioner.clone(tmp_path, root)
    _git(tmp_path, "clone", "--quiet", str(file), "cloned")
    cloned = tmp_path / "cloned"
    assert _git(cloned, "rev-parse", "HEAD").strip() == provisioner.commit(root)
    assert _git(cloned, "log", "--format=%s").split() == ["two", "one"]
    assert _git(cloned, "branch", "--show-current").strip() == "main"
    assert (cloned / "file").read_text(encoding="utf-8") == "two"


def test_a_checkout_without_a_branch_is_cloned_too(root: Path, tmp_path: Path) -> None:
    _git(root, "checkout", "--quiet", "--detach", "HEAD~1")
    _git(tmp_path, "clone", "--quiet", str(provisioner.clone(tmp_path, root)), "cloned")
    assert (tmp_path / "cloned" / "file").read_text(encoding="utf-8") == "one"


def test_the_same_commit_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = provisioner.clone(tmp_path, root), provisioner.clone(tmp_path / "other", root)
    assert first.read_bytes() == second.read_bytes()


def test_what_is_not_committed_is_named(root: Path) -> None:
    assert provisioner.uncommitted(root) == []
    (root / "file").write_text("three", encoding="utf-8")
    (root / "untracked").write_text("mine", encoding="utf-8")
    assert provisioner.uncommitted(root) == ["file"]


def test_what_cannot_be_cloned_is_refused(root: Path, tmp_path: Path) -> None:
    _git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{root}", "shallow")
    with pytest.raises(RefusedError, match="git fetch --unshallow"):
        provisioner.commit(tmp_path / "shallow")
    (tmp_path / "none").mkdir()
    with pytest.raises(RefusedError, match="run from a clone"):
        provisioner.commit(tmp_path / "none")


def test_the_environment_comes_in_the_versions_that_are_installed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    installed = {it.name.lower().replace("_", "-"): it.version for it in distributions()}
    with index() as published:
        for name, version in installed.items():
            published.publish(name, version)
            published.publish(name, "9999.0")
        found = list(provisioner.environment(published.url, ["3.11", "3.13"], ["amd64"]))
    names = {it.item.name for it in found}
    assert f"pyinfra {installed['pyinfra']}" in names
    assert {it.item.fits for it in found} == {("3.11", "amd64"), ("3.13", "amd64")}
    # What builds the project is no part of the environment.
    assert [it for it in names if it.endswith(" 9999.0")] == ["setuptools 9999.0"]
    assert all(it.item.digests and it.item.face == provisioner.WHEELS for it in found)


def test_an_index_without_them_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with index() as published, pytest.raises(RefusedError, match=r"for Python 3\.11 on amd64"):
        list(provisioner.environment(published.url, ["3.11"], ["amd64"]))
