"""A developer's tree on the host: what it is, what is missing of it, and how it differs from the release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyinfra import logger
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.context import host

from engine import remote
from engine.answers import understood
from engine.refusal import Finding, refuse
from engine.resources import sha256
from schemas.model import Development

SCRIPT = Path(__file__).parent / "scripts" / "tree.sh"
# What a tree has that backend and UI are started from.
NEEDED = ("venom_core/main.py", "web-next/package.json", "web-next/package-lock.json")


@dataclass(frozen=True)
class Tree:
    """What was seen of a tree, as its user sees it."""

    uid: str = ""  # of its user; empty where there is no such user
    directory: bool = False  # there is one, whoever may read it
    entered: bool = False
    has: frozenset[str] = frozenset()
    writable: frozenset[str] = frozenset()
    sha256: Mapping[str, str] = field(default_factory=dict)  # of its requirements files, by name


def look(work: Development) -> Tree:
    """Ask the current host about the tree. Raises RefusedError where it does not answer."""
    text = SCRIPT.read_text(encoding="utf-8")
    arguments = [QuoteString(it) for it in (work.tree, work.user)]
    answer = remote.ask(StringCommand("sh", "-c", QuoteString(text), "sh", *arguments))
    if not answer.ok:
        raise refuse(f"a host that answers about {work.tree}", answer.stderr.strip() or "no answer")
    return understood(f"what {work.tree} is", answer.stdout, parse)


def parse(text: str) -> Tree:
    """Read the lines that `tree.sh` printed."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value)
    digests = (line.partition(" ") for line in found.get("sha256", []))
    return Tree(
        uid=found.get("uid", [""])[0],
        directory="directory" in found,
        entered="entered" in found,
        has=frozenset(found.get("has", [])),
        writable=frozenset(found.get("writable", [])),
        sha256={name: digest for digest, _, name in digests},
    )


def findings(work: Development, tree: Tree) -> list[Finding]:
    """What stands between this tree and serving from it."""
    if not tree.uid:
        return [
            Finding(
                f"the user {work.user} on the host (development.user)",
                "no such user",
                f"create the user, or name the one whom {work.tree} belongs to",
            )
        ]
    requirement = f"a Venom tree in {work.tree} that {work.user} can read and write (development.tree)"
    if not tree.entered:
        found = f"a directory that {work.user} cannot enter" if tree.directory else "no such directory"
        return [Finding(requirement, found, f"clone Venom there as {work.user}, or name the right place")]
    missing = [name for name in NEEDED if name not in tree.has]
    if missing:
        return [
            Finding(
                requirement,
                f"{', '.join(missing)}: not there, or not readable for {work.user}",
                "name the folder that has venom_core/ and web-next/, of a complete branch",
            )
        ]
    closed = [name for name in (".", "web-next") if name not in tree.writable]
    if closed:
        return [
            Finding(
                requirement,
                f"{work.user} cannot write {', '.join(closed)} of it",
                f"give it to its developer: chown -R {work.user} {work.tree}",
            )
        ]
    return []


def other_requirements(tree: Tree, release: Mapping[str, str]) -> list[str]:
    """The requirements files (name → text, of the release) that this tree has otherwise, or not at all."""
    return [name for name, text in release.items() if tree.sha256.get(name) != sha256(text)]


def warn(work: Development, files: Sequence[str], release: str) -> None:
    """Tell that the tree asks for other packages than it gets: all may be well, or an import fails."""
    for line in (
        f"{work.tree} gets the packages of {release}, but differs from it in {', '.join(files)}",
        "if it lacks one: name a commit or tree that has it under `venom`, or add it to `requirements.add`",
    ):
        host.log_styled(line, fg="yellow", log_func=logger.warning)
