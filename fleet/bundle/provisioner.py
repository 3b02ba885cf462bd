"""This repository in a bundle: its history, the packages of its environment, and what its cache must hold.

So a machine without the Internet gets from a bare Debian to a run: a clone, an environment, the bundle's
store. They lie under faces below `provisioner/`.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from uv import find_uv_bin

from engine import controller
from engine.refusal import refuse
from roles.store.scripts.wheels import GLIBC_MINOR, MACHINES
from schemas.plan import item as kinds
from schemas.plan.item import Item, Needed
from schemas.plan.listed import packages

ROOT = Path(__file__).resolve().parents[2]
FACE = "provisioner"
CLONE, WHEELS, CACHE = f"{FACE}/venom-provisioner.bundle", f"{FACE}/wheels/", f"{FACE}/cache"
_REPOSITORY = "the provisioner's own git repository: a bundle brings it along"


def commit(root: Path = ROOT) -> str:
    """The commit that is checked out. Raises RefusedError where there is no repository that can be cloned."""
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise refuse("the repository's whole history", "a shallow clone", "git fetch --unshallow")
    return _git(root, "rev-parse", "HEAD").strip()


def uncommitted(root: Path = ROOT) -> list[str]:
    """The files of the checkout that are not as they were committed: no clone has that."""
    lines = _git(root, "status", "--porcelain", "--untracked-files=no").splitlines()
    return [line[3:] for line in lines]


def clone(folder: Path, root: Path = ROOT) -> Path:
    """A file in the folder that `git clone` clones: the checked out commit with its history."""
    branch = _git(root, "rev-parse", "--abbrev-ref", "HEAD").strip()
    file = folder / f"provisioner-{commit(root)}-{branch.replace('/', '-')}.bundle"
    if not file.exists():
        part = file.with_name(f"{file.name}.part")
        # One thread packs the same bytes each time.
        heads = ["HEAD"] if branch == "HEAD" else ["HEAD", branch]
        _git(root, "-c", "pack.threads=1", "bundle", "create", "--quiet", str(part), *heads)
        part.rename(file)
    return file


def environment(index: str, pythons: Sequence[str], architectures: Sequence[str]) -> Iterator[Needed]:
    """The packages of this environment, in its versions, for machines with these Pythons.

    `index`: URL of the package index. Raises RefusedError where they cannot be had for one of them.
    """
    for python in pythons:
        for arch in architectures:
            for it in packages(_locked(index, python, arch)):
                yield Needed(
                    Item(
                        kind=kinds.PACKAGE,
                        name=f"{it.name} {it.version}",
                        digests=it.digests,
                        size=0,
                        origins=(f"{index.rstrip('/')}/{it.name}/",),
                        face=WHEELS,
                        fits=(python, arch),
                    ),
                    (),
                )


def _locked(index: str, python: str, arch: str) -> str:
    """The requirements of this project, and what builds it, with hashes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    builds = project["build-system"]["requires"]
    wanted = [*project["project"]["dependencies"], *builds]
    # What builds the project need not be in the environment; one that is there may be too old.
    free = {project["project"]["name"], *(Requirement(it).name for it in builds)}
    have = sorted({f"{it.name}=={it.version}" for it in distributions() if it.name not in free})
    platform = f"{MACHINES[arch]}-manylinux_2_{GLIBC_MINOR}"
    with tempfile.TemporaryDirectory() as folder:
        files = {"wanted.in": wanted, "have.txt": have}
        for name, lines in files.items():
            (Path(folder) / name).write_text("\n".join(lines), encoding="utf-8")
        controller.run(
            [find_uv_bin(), "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
            + ["--python", sys.executable, "--python-version", python, "--python-platform", platform]
            + [
                "--default-index",
                index,
                "--constraint",
                "have.txt",
                "--output-file",
                "lock.txt",
                "wanted.in",
            ],
            f"the packages of this environment, in its versions, for Python {python} on {arch}",
            "check this machine's network, or set `mirrors.pypi`; or install the environment anew",
            cwd=Path(folder),
        )
        return (Path(folder) / "lock.txt").read_text(encoding="utf-8")


def _git(root: Path, *arguments: str) -> str:
    remedy = "run from a clone (git clone)"
    return controller.run(["git", "-c", "safe.directory=*", "-C", str(root), *arguments], _REPOSITORY, remedy)
