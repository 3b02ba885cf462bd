"""What the references of a door reveal: hashes of passwords, and the key of a certificate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from engine.refusal import Finding, RefusedError
from engine.secrets import reveal, reveal_text
from schemas.model import Door

# What crypt(3) of every supported system reads, and nginx's own apr1; plain text is none of them.
_HASH = re.compile(r"\$(?:[156y]|2[aby]|gy|apr1|7)\$[./A-Za-z0-9$=,]{20,}")


@dataclass(frozen=True)
class Revealed:
    """The files of a door whose contents are nobody else's business; empty where there are none."""

    users: str = ""  # a line a user: name:hash
    certificate: str = ""  # PEM, with its chain
    key: str = ""  # PEM


def revealed(door: Door) -> Revealed:
    """What the plan's references lead to. Raises RefusedError, which shows none of it."""
    findings = []
    hashes = reveal(door.users)
    for name, found in hashes.items():
        if not _HASH.fullmatch(found):
            findings.append(
                Finding(
                    f"the hash of a password for door.users.{name}",
                    "text that is no hash (not shown): a password itself is not accepted",
                    "make one, which asks for the password: openssl passwd -6",
                )
            )
    pem = key = ""
    if door.key is not None:
        pem = Path(door.certificate).read_text(encoding="utf-8")
        key = reveal_text("door.key", door.key)
        from roles.door import own_certificate  # noqa: PLC0415 - slow to import, and few doors have one

        findings += own_certificate.findings(pem, key)
    if findings:
        raise RefusedError(findings)
    return Revealed("".join(f"{name}:{found}\n" for name, found in sorted(hashes.items())), pem, key)
