"""Private SSH keys for tests, as ssh-keygen makes them."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption


def pair(passphrase: str = "") -> tuple[bytes, bytes]:
    """A private key, locked by the passphrase if one is given, and the public one."""
    key = Ed25519PrivateKey.generate()
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, lock)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private, public + b" ada@desk\n"


def write_pair(path: Path) -> Path:
    """Write a private key there, and the public one beside it as ssh-keygen names it. Gives the path."""
    private, public = pair()
    path.write_bytes(private)
    path.chmod(0o600)
    path.with_suffix(".pub").write_bytes(public)
    return path
