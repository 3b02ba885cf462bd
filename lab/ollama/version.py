"""Which release of Ollama this stands for: written beside the code when a release is packed."""

from __future__ import annotations

from pathlib import Path

_FILE = Path(__file__).with_name("VERSION")

RELEASE = _FILE.read_text().strip() if _FILE.exists() else "0.24.0"
SPOKEN = f"{RELEASE} (lab stand-in, not Ollama)"
