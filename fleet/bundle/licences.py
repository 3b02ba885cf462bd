"""The licence of what a bundle carries, where its publisher names one."""

from __future__ import annotations

import json
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from schemas.plan import item as kinds

# Of what does not name its own in a form that can be read: as the publisher's site does.
_KNOWN = {
    "python": "PSF-2.0",
    "node": "MIT",
    "ollama": "MIT",
    "source": "MIT",
    "gemma3": "Gemma Terms of Use",
}


def licence_of(kind: str, name: str, file: Path) -> str:
    """The licence in the publisher's words, SPDX where these are; empty where nothing says it."""
    if kind == kinds.PACKAGE and zipfile.is_zipfile(file):
        return _of_wheel(file)
    if kind == kinds.TARBALL:
        return _of_tarball(file)
    first = name.rpartition(" of ")[2] if kind in (kinds.MANIFEST, kinds.BLOB) else name
    return _KNOWN.get(first.partition(" ")[0].partition(":")[0], "")


def _of_wheel(file: Path) -> str:
    with zipfile.ZipFile(file) as wheel:
        found = [it for it in wheel.namelist() if it.endswith(".dist-info/METADATA")]
        text = wheel.read(found[0]).decode("utf-8", "replace") if found else ""
    metadata = HeaderParser().parsestr(text)
    short = (metadata.get("License") or "").strip()
    # `License` may hold the whole text of one.
    short = short if "\n" not in short and len(short) < 80 else ""
    classifiers = [it for it in metadata.get_all("Classifier", []) if it.startswith("License :: ")]
    classes = ", ".join(it.rpartition(" :: ")[2] for it in classifiers)
    return metadata.get("License-Expression") or short or classes


def _of_tarball(file: Path) -> str:
    try:
        with tarfile.open(file) as tar:
            for entry in tar:
                if entry.name.count("/") == 1 and entry.name.endswith("/package.json"):
                    content = tar.extractfile(entry)
                    licence = json.load(content).get("license", "") if content else ""
                    return licence if isinstance(licence, str) else str(licence.get("type", ""))
    except (tarfile.TarError, ValueError, AttributeError):
        pass
    return ""
