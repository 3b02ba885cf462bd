"""The program that lies in every bundle: all of ours that reads one, as one archive that python3 runs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

NAME = "venom-bundle.pyz"
# What reads a bundle, and needs nothing but Python's own library.
MODULES = ("__init__", "__main__", "check", "fault", "fill", "manifest", "pack", "parts", "signature")
_ENTRY = "import sys\n\nfrom fleet.bundle.__main__ import main\n\nsys.exit(main())\n"


def application() -> bytes:
    """The program: the same bytes for the same modules."""
    here = Path(__file__).parent
    texts = {"__main__.py": _ENTRY, "fleet/__init__.py": ""}
    texts |= {f"fleet/bundle/{it}.py": (here / f"{it}.py").read_text(encoding="utf-8") for it in MODULES}
    buffer = io.BytesIO(b"#!/usr/bin/env python3\n")
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(texts.items()):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
