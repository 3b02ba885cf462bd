"""`python -m roles.packing.pin REFERENCE …`: shows the digest of each tag, as an entry for a file of pins.

skopeo asks the registry. A reference whose registry has no TLS begins with http://. Exit status 0; 2 with
the reason where one is not known.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from schemas.data.image_reference import Reference


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m roles.packing.pin",
        description="Print the digest of each tag as an entry for a file of pins.",
    )
    parser.add_argument("reference", nargs="+", help="e.g. docker.io/ollama/ollama:0.24.0")
    status = 0
    for text in parser.parse_args(arguments).reference:
        try:
            print(entry(text))
        except PinError as error:
            print(f"pin: {text}\n{error}", file=sys.stderr)
            status = 2
    return status


class PinError(Exception):
    """Why the digest of a reference is not known: required, found, do."""


def entry(text: str) -> str:
    """The line of a file of pins, by the tag as its version. Raises PinError."""
    scheme, _, rest = text.rpartition("://")
    try:
        reference = Reference.of(rest)
    except ValueError:
        reference = Reference("", "", "", "")
    if not reference.tag:
        raise PinError(
            "required  REGISTRY/PATH:TAG, e.g. docker.io/ollama/ollama:0.24.0\n"
            f"found     {text}\n"
            "do        name the registry and the tag"
        )
    digest = digest_of(rest, tls=scheme != "http")
    return f"  {reference.tag}: {reference.registry}/{reference.path}@{digest}"


def digest_of(reference: str, *, tls: bool) -> str:
    """What the registry says the reference is now: "sha256:…". Raises PinError."""
    # Of its list of architectures, where it has one: so one pin is for all of them.
    command = ["skopeo", "inspect", "--no-tags", f"--tls-verify={'true' if tls else 'false'}"]
    try:
        done = subprocess.run(
            [*command, f"docker://{reference}"], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise PinError(
            f"required  skopeo on this machine\nfound     {error.strerror}\ndo        apt-get install skopeo"
        ) from error
    if done.returncode:
        message = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PinError(
            f"required  a registry that has the image\nfound     {message}\ndo        check the name"
        )
    return str(json.loads(done.stdout)["Digest"])


if __name__ == "__main__":
    sys.exit(main())
