"""Tells what is wrong with a file that is to be a private SSH key, before anybody is connected to."""

from __future__ import annotations

import base64
import binascii
import os
import shlex
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization


def fault(path: str) -> tuple[str, str]:
    """What is wrong with the key and what to do; both empty where a login can be tried with it.

    A key with a passphrase can be used by an agent that holds it, and by nobody else: a run asks nothing.
    """
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        return f"{path}: {getattr(error, 'strerror', None) or error}", ""
    if _public(data) is not None or b" PUBLIC KEY-" in data[:64]:
        private = path.removesuffix(".pub")
        return f"{path}: a public key", f"name the private one{f': {private}' if private != path else ''}"
    if data.startswith(b"PuTTY-User-Key-File"):
        return f"{path}: a key of PuTTY's", "export it as OpenSSH's: puttygen KEY -O private-openssh -o FILE"
    if not locked(data):
        return _damaged(path, data), ""
    if held(path):
        return "", ""
    agent = "" if os.environ.get("SSH_AUTH_SOCK") else 'eval "$(ssh-agent)"; '
    return f"{path}: it has a passphrase, and no agent holds it", f"{agent}ssh-add {shlex.quote(path)}"


def locked(data: bytes) -> bool:
    """Whether a private key has a passphrase."""
    if b"Proc-Type: 4,ENCRYPTED" in data or b"BEGIN ENCRYPTED PRIVATE KEY" in data:
        return True
    try:
        serialization.load_ssh_private_key(data, None)
    except TypeError:  # a password is needed
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return False


def _damaged(path: str, data: bytes) -> str:
    for load in (serialization.load_ssh_private_key, serialization.load_pem_private_key):
        try:
            load(data, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        return ""
    return f"{path}: no private key"


def held(path: str) -> bool:
    """Whether an agent holds the key, as the public one beside it (or in it) says."""
    # Here, because only a key with a passphrase has need of it.
    from paramiko import Agent, SSHException  # noqa: PLC0415

    mine = public(path)
    if mine is None or not os.environ.get("SSH_AUTH_SOCK"):
        return False
    try:
        agent = Agent()
        keys = [it.blob for it in agent.get_keys()]
        agent.close()
    except (SSHException, OSError, ValueError):
        return False
    return mine in keys


def public(path: str) -> bytes | None:
    """The public part of a private key as it travels, from the file beside it or from its own head."""
    for file, read in ((f"{path}.pub", _public), (path, _head)):
        try:
            found = read(Path(file).read_bytes())
        except (OSError, ValueError):
            continue
        if found is not None:
            return found
    return None


def _public(data: bytes) -> bytes | None:
    """The key in a file such as id_ed25519.pub."""
    kind, _, rest = data.strip().partition(b" ")
    try:
        key = base64.b64decode(rest.partition(b" ")[0], validate=True)
    except binascii.Error:
        return None
    return key if kind and key[4 : 4 + len(kind)] == kind else None


def _head(data: bytes) -> bytes | None:
    """The public key in a private one of OpenSSH's format (PROTOCOL.key), where it is not encrypted."""
    lines = data.split(b"\n")
    body = base64.b64decode(b"".join(it.strip() for it in lines if not it.startswith(b"-----")))
    magic = b"openssh-key-v1\0"
    if not body.startswith(magic):
        return None
    at = len(magic)
    for skipped in (0, 0, 4):  # cipher, its key's derivation, the options of that and the number of keys
        at += 4 + int.from_bytes(body[at : at + 4], "big") + skipped
    return body[at + 4 : at + 4 + int.from_bytes(body[at : at + 4], "big")] or None
