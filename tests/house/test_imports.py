"""What every run imports before it does anything: nothing that only some runs need, or that costs much."""

from __future__ import annotations

import subprocess
import sys

# Only where there is something to check, a certificate to read, or a report to draw.
NEEDLESS = {
    *(
        "jsonschema",
        "cryptography.x509",
        "matplotlib",
        "playwright",
        "cyclonedx",
        "websockets",
        "junitparser",
    ),
}
# What jsonschema takes along where it is installed, and compiles a grammar with.
GRAMMAR = {"lark", "rfc3987_syntax"}


def loaded_by(imports: str) -> set[str]:
    """All modules of a process that imports these."""
    line = f"import sys, {imports}; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout
    return set(printed.split())


def test_a_run_imports_nothing_that_it_does_not_need() -> None:
    loaded = loaded_by("fleet.command, fleet.inventory, fleet.preview, fleet.assessment")
    assert "jinja2" in loaded
    assert loaded & (NEEDLESS | GRAMMAR) == set()


def test_checking_an_inventory_compiles_no_grammar() -> None:
    loaded = loaded_by("schemas.reading.checker")
    assert "jsonschema" in loaded
    assert loaded & GRAMMAR == set()
