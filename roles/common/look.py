"""Looking at a host: the state of everything that is managed, in one round trip.

All decisions of a run follow from one look at its start, so a host that is already so costs one
look and nothing else, and a run that was cut off is continued from what is really there.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from roles.common import remote
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
        """Whether `path` is there, with that digest if one is given, and with all that a manifest lists."""
        have = self.paths.get(path)
        return have is not None and not have.get("lacks") and (not sha256 or have.get("sha256") == sha256)


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
    seen = json.loads(answer.stdout)
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
