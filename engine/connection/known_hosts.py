"""The keys that known_hosts files have for a host, and what they say of the key that it shows.

The format is that of sshd(8). A line that cannot be read is never passed over where it may be this host's:
paramiko's own reader gives up the whole file at such a line, and pyinfra then goes on without any keys
(pyinfra#1944, #838).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from re import IGNORECASE, match

from engine.refusal import Finding

PORT = 22  # where a name stands without its port

# What a host proves its key with, the strongest first (paramiko offers these), by the kind of the key.
_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")}
_MARKERS = ("@cert-authority", "@revoked")


@dataclass(frozen=True)
class Line:
    """One line of a known_hosts file. One that cannot be read has a fault, and still its names."""

    where: str  # FILE:NUMBER
    names: str
    marker: str = ""
    kind: str = ""  # of the key: "ssh-ed25519"
    key: bytes = b""  # as it travels; empty where there is a fault
    fault: str = ""

    def of(self, name: str) -> bool:
        """Whether it speaks of this host: by its name, by a pattern, or by a name that is hashed."""
        if self.names.startswith("|"):
            return _hashed(self.names, name)
        patterns = self.names.split(",")
        if any(_matches(it[1:], name) for it in patterns if it.startswith("!")):
            return False
        return any(_matches(it, name) for it in patterns if not it.startswith("!"))


@dataclass(frozen=True)
class KnownHosts:
    """What several files say of one host."""

    lines: tuple[Line, ...]  # those that speak of it
    elsewhere: tuple[Line, ...] = ()  # of its name without the port, where that is not 22
    unreadable: str = ""  # a file that cannot be read: "FILE: Permission denied"

    def algorithms(self, offered: Sequence[str]) -> list[str]:
        """What to ask the host for: the kinds of key that are known of it before the others.

        A host with several keys would else show one that nobody recorded.
        """
        known = [it.kind for it in (*self.lines, *self.elsewhere) if it.key and not it.marker]
        first = [name for kind in known for name in _ALGORITHMS.get(kind, (kind,)) if name in offered]
        return list(dict.fromkeys([*first, *offered]))

    def against(self, key: bytes) -> Finding | None:
        """What speaks against a host that shows this key; None where it is known, or the host is new."""
        everything = (*self.lines, *self.elsewhere)
        for line in everything:
            if line.marker == "@revoked" and (line.fault or line.key == key):
                found = f"{line.where}: {line.fault}" if line.fault else f"{line.where} revokes {of(key)}"
                return Finding("a host key that was not revoked", found, _mend(line) if line.fault else "")
        known = [it for it in self.lines if it.key and not it.marker]
        if key in [it.key for it in known]:
            return None
        if known:
            return Finding(
                f"the host key that {known[0].where} has: {known[0].kind} {of(known[0].key)}",
                f"another one: {kind(key)} {of(key)}. Nothing was sent to the host",
                "find out why: somebody may intercept the connection; "
                f"if the host was reinstalled: {_forget(known[0])}",
            )
        if any(it.key == key for it in self.elsewhere if not it.marker):
            return None
        return self._not_judged()

    def knows(self, key: bytes) -> bool:
        """Whether a line has this very key."""
        return any(it.key == key and not it.marker for it in (*self.lines, *self.elsewhere))

    def _not_judged(self) -> Finding | None:
        """Why a key that no line has is not that of a new host for certain."""
        what = "known_hosts that can be read, before a new host is trusted"
        if self.unreadable:
            return Finding(what, self.unreadable, "make it readable for your user")
        for line in self.lines:
            if line.fault:
                return Finding(what, f"{line.where}: {line.fault}", _mend(line))
            if line.marker == "@cert-authority":
                return Finding(
                    "the host's own key in known_hosts: certificates of hosts cannot be checked here",
                    f"{line.where} trusts an authority for it, but no line has its key",
                    "add its key: get it with ssh-keyscan, and compare it with the one on the host",
                )
        return None


def read(files: Iterable[str], host: str, port: int = PORT) -> KnownHosts:
    """What these files say of the host. A file that is not there says nothing."""
    name = host.lower()
    lines, unreadable = [], ""
    for file in files:
        try:
            text = Path(file).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            unreadable = f"{file}: {getattr(error, 'strerror', None) or error}"
            continue
        lines += parse(text, file)
    if port == PORT:
        return KnownHosts(tuple(it for it in lines if it.of(name)), (), unreadable)
    full = entry_name(host, port)
    there = tuple(it for it in lines if it.of(full))
    return KnownHosts(there, tuple(it for it in lines if it not in there and it.of(name)), unreadable)


def parse(text: str, file: str) -> list[Line]:
    """The lines of a file; those that say nothing are left out."""
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            lines.append(_line(f"{file}:{number}", words))
    return lines


def _line(where: str, words: list[str]) -> Line:
    marker = words.pop(0) if words[0].startswith("@") else ""
    names, *rest = words or ["*"]  # what names nobody may be anybody's
    if marker and marker not in _MARKERS:
        return Line(where, names, fault=f"the marker {marker} is not known")
    if len(rest) < 2:
        return Line(where, names, marker, fault="it has no key")
    try:
        key = base64.b64decode(rest[1], validate=True)
        parts = _parts(key)
    except (binascii.Error, ValueError):
        parts = []
    if len(parts) < 2 or parts[0] != rest[0].encode():
        return Line(where, names, marker, rest[0], fault="its key is damaged")
    return Line(where, names, marker, rest[0], key)


def _parts(key: bytes) -> list[bytes]:
    """The strings that a public key is made of (RFC 4253, 6.6). Raises ValueError for another thing."""
    parts, at = [], 0
    while at < len(key):
        length = int.from_bytes(key[at : at + 4], "big")
        if at + 4 + length > len(key):
            raise ValueError("cut off")
        parts.append(key[at + 4 : at + 4 + length])
        at += 4 + length
    return parts


def _matches(pattern: str, name: str) -> bool:
    # `[` is no special character in known_hosts: it begins "[host]:port".
    return match(translate(pattern.replace("[", "[[]")), name, IGNORECASE) is not None


def _hashed(names: str, name: str) -> bool:
    """Whether it is the hash of this name; a damaged one may be."""
    try:
        _, version, salt, digest = names.split("|")
        wanted = base64.b64decode(digest, validate=True)
        found = hmac.new(base64.b64decode(salt, validate=True), name.encode(), hashlib.sha1).digest()
    except (ValueError, binascii.Error):
        return True
    return version != "1" or hmac.compare_digest(found, wanted)


def _mend(line: Line) -> str:
    return f"mend or delete line {line.where.rpartition(':')[2]}: it may be of this host"


def _forget(line: Line) -> str:
    file, _, number = line.where.rpartition(":")
    return f"sed -i {number}d {shlex.quote(file)}"


def entry_name(host: str, port: int) -> str:
    """The host as known_hosts names it."""
    return host.lower() if port == PORT else f"[{host.lower()}]:{port}"


def kind(key: bytes) -> str:
    """The kind of a key, e.g. "ssh-ed25519"."""
    return _parts(key)[0].decode("ascii", "replace")


def of(key: bytes) -> str:
    """The fingerprint of a key, as ssh-keygen writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def add(file: str, name: str, key: bytes) -> None:
    """Add a line for a new host. Raises OSError where that cannot be written."""
    path = Path(file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = f"{name} {kind(key)} {base64.b64encode(key).decode()}\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as out:
        size = out.seek(0, os.SEEK_END)
        if size:
            out.seek(size - 1)
            # A last line without an end would swallow ours, and be spoilt by it.
            text = text if out.read(1) == b"\n" else f"\n{text}"
        out.write(text.encode())
