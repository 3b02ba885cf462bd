"""The operator's own certificate: whether it can be read, is valid, and has the key that stands beside it.

A module of its own, because most hosts have none, and every run would pay for importing what reads it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from engine.refusal import Finding


def findings(pem: str, key: str) -> list[Finding]:
    """What is wrong with a certificate and its key, both PEM. The key is not shown."""
    try:
        certificate = x509.load_pem_x509_certificates(pem.encode())[0]
    except (ValueError, IndexError):
        return [Finding("a PEM certificate in door.certificate", "one that cannot be read", "")]
    found = []
    if certificate.not_valid_after_utc < datetime.now(UTC):
        until = certificate.not_valid_after_utc.date().isoformat()
        found.append(
            Finding("a door.certificate that is valid", f"it was valid until {until}", "have it renewed")
        )
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as error:
        kind = "one with a passphrase" if isinstance(error, TypeError) else "none that can be read"
        remedy = "give one without: openssl pkey -in KEY -out NEW" if isinstance(error, TypeError) else ""
        return [*found, Finding("a private key (PEM, no passphrase) in door.key", kind, remedy)]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        found.append(Finding("the key of door.certificate in door.key", "the key of another certificate", ""))
    return found
