"""May this commit be published, and under which tags? Pure: `roles.packing.tags.repository` looks.

The contract (images): every publication gets `sha-<short>`; a release tag adds itself and `latest`; one by
hand, which somebody has to confirm, may add a tag of its own. A release tag is strict, on a commit of main.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.refusal import Finding, RefusedError

# As semantic versioning has numbers: v01.2.3 and v1.2.3 would be two tags of one version.
_RELEASE = re.compile(r"v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
# The OCI distribution specification's form of a tag.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_SHORT = 7  # digits of a commit in `sha-<short>`, as Venom's own publication has them


@dataclass(frozen=True)
class Commit:
    """What would be published, as its repository has it."""

    sha: str  # of what would be published, whole
    on_main: bool  # whether it is main's tip or an ancestor of it
    main: str  # what main is called there, e.g. "origin/main"
    tagged: str | None = None  # the commit that the release tag names; None: there is no such tag


def by_tag(tag: str, commit: Commit) -> list[str]:
    """The tags of a release. Raises RefusedError with everything that is against it."""
    findings = []
    if not _RELEASE.fullmatch(tag):
        findings.append(
            Finding("a release tag vMAJOR.MINOR.PATCH", f'"{tag}"', "tag the commit anew, e.g. v1.2.3")
        )
    elif commit.tagged is None:
        findings.append(Finding(f"the tag {tag}", "no such tag in the repository", "git fetch --tags"))
    elif commit.tagged != commit.sha:
        found = f"{commit.sha[:12]} is checked out, and {tag} names {commit.tagged[:12]}"
        findings.append(Finding(f"the commit of {tag}", found, f"git checkout {tag}"))
    findings += _off_main(commit)
    if findings:
        raise RefusedError(findings)
    return [_sha(commit), tag, "latest"]


def by_hand(confirmed: bool, extra: str, commit: Commit) -> list[str]:
    """The tags of a publication by hand, `extra` among them unless it is empty.

    Raises RefusedError with everything that is against it.
    """
    findings = []
    if not confirmed:
        remedy = "--confirmed true (deploy/images.py: --data confirmed=yes), by whoever starts it"
        findings.append(Finding("a confirmation, to publish by hand", "none", remedy))
    if extra and not _TAG.fullmatch(extra):
        allowed = "a tag of letters, digits, dots, hyphens and underscores, at most 128"
        findings.append(Finding(allowed, f'"{extra}"', "choose another, e.g. rc1"))
    elif _RELEASE.fullmatch(extra) or extra == "latest" or extra.startswith("sha-"):
        remedy = "push a release tag instead, or choose another, e.g. rc1"
        findings.append(Finding("a tag that no rule reserves", f'"{extra}"', remedy))
    findings += _off_main(commit)
    if findings:
        raise RefusedError(findings)
    return [_sha(commit), *([extra] if extra else [])]


def _off_main(commit: Commit) -> list[Finding]:
    if commit.on_main:
        return []
    found = f"{commit.sha[:12]} is not in the history of {commit.main}"
    return [Finding("a commit of main", found, "merge it there first, or publish another commit")]


def _sha(commit: Commit) -> str:
    return f"sha-{commit.sha[:_SHORT]}"
