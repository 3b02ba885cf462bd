"""Looking at a host: the state of everything that is managed, in one round trip.

All decisions of a run follow from one look at its start, so a host that is already so costs one
look and nothing else, and a run that was cut off is continued from what is really there.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from roles.common import remote
from roles.common.answers import data, formed, known, number, understood
from roles.common.refusal import refuse

# Mixed into the digest of each setting: what comes back is of use to this run alone.
NONCE = secrets.token_hex(16)
# The script that looks, and those that it imports.
LOOK = ("look.py", ("asked.py", "fingerprint.py", "images.py"))


@dataclass(frozen=True)
class Seen:
    """What a host answered. A path, user, package or unit that is not there has no entry."""

    paths: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    env_files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    users: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    models: Mapping[str, int] = field(default_factory=dict)  # manifest of weights → bytes of its layers
    receipt: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)  # address of a door → which inputs it has
    nonce: str = NONCE

    def foreign(self, unit: str) -> str:
        """The file of a unit of this name that somebody else put there; empty where there is none."""
        file = self.units.get(unit, {}).get("FragmentPath", "")
        ours = not file or self.paths.get(file, {}).get("ours") == "yes"
        return "" if ours else file

    def there(self, path: str, sha256: str = "") -> bool:
        """Whether `path` is there, and with that digest if one is given."""
        have = self.paths.get(path)
        return have is not None and (not sha256 or have.get("sha256") == sha256)


class _Said(TypedDict):
    """The form of what the script says."""

    paths: dict[str, dict[str, str]]
    env_files: dict[str, dict[str, str | dict[str, str]]]
    units: dict[str, dict[str, str]]
    users: dict[str, dict[str, str | list[str]]]
    groups: list[str]
    packages: list[str]
    models: dict[str, int]
    receipt: dict[str, Any]
    answers: dict[str, str]


@dataclass(frozen=True)
class Question:
    """What a host is asked about."""

    paths: Iterable[str]
    env_files: Iterable[str]
    units: Iterable[str]
    users: Iterable[str]
    packages: Iterable[str]
    links: Mapping[str, str]  # a link of the distribution's → the package that brought it
    certificates: Iterable[str]  # files of which it is asked how long they are valid
    doors: Mapping[str, str]  # address → file of the certificate that it must serve; empty without TLS
    manifests: str
    receipt: str

    def __str__(self) -> str:
        """What the script on the host reads."""
        listed = {"paths", "env_files", "units", "users", "packages", "certificates"}
        asked = {key: sorted(set(it)) if key in listed else it for key, it in vars(self).items()}
        return json.dumps({**asked, "nonce": NONCE})


def look(question: Question) -> Seen:
    """Ask the current host about all of this at once.

    A host without python3 has nothing of ours yet: it is seen as empty. The values in an environment
    file come back as digests with a nonce of this run, so neither log nor fact ever holds a secret.
    """
    name, modules = LOOK
    answer = remote.ask(remote.python(name, str(question), modules=modules))
    if not answer.ok:
        if "python3" in answer.stderr and "not found" in answer.stderr:
            return Seen()
        raise refuse(
            "the host can be looked at by root (python3 answers)",
            answer.stderr.strip() or "no answer",
            "check the SSH user's sudo rights and the host's python3",
        )
    return understood("how everything that is managed is", answer.stdout, seen_in)


def seen_in(text: str) -> Seen:
    """What the script said. Raises what `answers.data` raises, or ValueError."""
    seen = data(text, _Said)
    for path in seen["paths"].values():
        number(path.get("days", "").removeprefix("-"))
    check_receipt(seen["receipt"])
    return Seen(
        paths=seen["paths"],
        env_files=seen["env_files"],
        units=seen["units"],
        users=seen["users"],
        groups=frozenset(seen["groups"]),
        packages=frozenset(seen["packages"]),
        models=seen["models"],
        receipt=seen["receipt"],
        answers=seen["answers"],
    )


class _Image(TypedDict):
    name: str
    sha256: str


class _Plan(TypedDict, total=False):
    """What is told of the plan in a receipt; how it differs from another is told whatever it is."""

    profile: str
    model: dict[str, Any] | None
    images: dict[str, dict[str, Any]] | None
    ollama: dict[str, Any] | None


class _Receipt(TypedDict, total=False):
    """What is told of a receipt."""

    generation: str
    at: str
    by: str
    applied: dict[str, Any]


def check_receipt(receipt: Mapping[str, Any]) -> None:
    """Raise TypeCheckError or KeyError where what is told of a receipt has another form. It may lack all."""
    formed(known(receipt, _Receipt), _Receipt)
    applied = formed(receipt.get("applied", {}).get("plan", {}), dict[str, Any])
    plan = formed(known(applied, _Plan), _Plan)
    if model := plan.get("model"):
        formed(model["name"], str)
    images = [*(plan.get("images") or {}).values(), (plan.get("ollama") or {}).get("image")]
    for it in images:
        if it:
            formed(known(it, _Image), _Image)
