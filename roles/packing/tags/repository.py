"""What a git repository says of the commit that is checked out there. Changes nothing, fetches nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from engine.refusal import refuse
from roles.packing.tags.rules import Commit

# What a CI's checkout has first: there a local `main` may be of an earlier build.
_MAINS = ("origin/main", "main")


def look(repository: Path, tag: str = "", commit: str = "HEAD") -> Commit:
    """The commit that is checked out, or another one, and the one that `tag` names.

    Raises RefusedError where that cannot be known.
    """
    sha = _commit(repository, commit)
    if sha is None:
        which = "a commit" if commit == "HEAD" else f"the commit {commit[:12]}"
        raise refuse(
            f"a git repository with {which}", f"none in {repository}", "name its folder, or fetch it"
        )
    main = next((it for it in _MAINS if _commit(repository, f"refs/{_kind(it)}/{it}")), "")
    if not main:
        raise refuse("main in the repository", "neither origin/main nor main", "git fetch origin main")
    if _git(repository, "rev-parse", "--is-shallow-repository") == "true":
        raise refuse("the whole history", "a shallow clone", "git fetch --unshallow (fetch-depth: 0)")
    on_main = _git(repository, "merge-base", "--is-ancestor", sha, f"refs/{_kind(main)}/{main}") is not None
    tagged = _commit(repository, f"refs/tags/{tag}") if tag else None
    return Commit(sha, on_main, main, tagged)


def _kind(main: str) -> str:
    return "remotes" if "/" in main else "heads"


def _commit(repository: Path, name: str) -> str | None:
    """The commit that a name means, through an annotated tag as well; None where there is none."""
    return _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def _git(repository: Path, *arguments: str) -> str | None:
    """What git answers, or None where it says no."""
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
