"""Signs the manifest of a bundle with an operator's SSH key, and finds who signed one: by ssh-keygen.

Needs Python's own library only.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from fleet.bundle.fault import BundleError

# What else the key signs (commits, mail) is no bundle.
NAMESPACE = "venom-bundle"
SUFFIX = ".sig"


def sign(manifest: Path, key: Path, namespace: str = NAMESPACE) -> Path:
    """Sign the file with the key: a private one, or a public one whose private half an agent holds.

    Gives the signature's file, beside it. `namespace`: what for. Raises BundleError where
    ssh-keygen cannot sign with that.
    """
    signature = manifest.with_name(manifest.name + SUFFIX)
    signature.unlink(missing_ok=True)
    done = _ssh_keygen(["sign", "-f", str(key), "-n", namespace, str(manifest)])
    if done.returncode != 0 or not signature.exists():
        raise BundleError(
            "an SSH key that can sign: a private one, or the public one of an agent's",
            f"{key}: {_output(done)}",
            f"ssh-add {key}; or name another key",
        )
    return signature


def signer(text: bytes, signature: Path, signers: Path) -> str:
    """Who of the allowed signers signed this text. Raises BundleError where nobody did."""
    required = f"a signature of one of those in {signers}"
    if not signers.is_file():
        raise BundleError(
            "a file of allowed signers: lines NAME KEY, as ssh-keygen(1) describes",
            f"{signers}: no such file",
            "write it from the public key of whoever makes the bundles",
        )
    if not signature.is_file():
        raise BundleError(required, f"{signature.name} is not in the bundle", "have the bundle signed")
    found = _ssh_keygen(["find-principals", "-s", str(signature), "-f", str(signers)])
    name = found.stdout.decode(errors="replace").strip().splitlines()
    if found.returncode != 0 or not name:
        raise BundleError(
            required,
            f"signed with a key that is not there ({_output(found)})",
            "take a bundle from somebody whom you know; or add the signer, if you know the key",
        )
    verify = ["verify", "-f", str(signers), "-I", name[0], "-n", NAMESPACE, "-s", str(signature)]
    done = _ssh_keygen(verify, text)
    if done.returncode != 0:
        raise BundleError(
            f"a signature of this manifest by {name[0]}",
            f"the manifest is not what was signed, or not as a bundle ({_output(done)})",
            "copy the bundle again from where it was made; if it stays so, do not use it",
        )
    return name[0]


def _ssh_keygen(arguments: Sequence[str], text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["ssh-keygen", "-Y", *arguments], input=text, capture_output=True, check=False)
    except OSError as error:
        raise BundleError(
            "ssh-keygen (OpenSSH 8.1 or newer)", f"{error.strerror}", "apt-get install openssh-client"
        ) from error


def _output(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "ssh-keygen said nothing"
