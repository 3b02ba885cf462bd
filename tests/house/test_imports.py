"""What every run imports before it does anything: nothing that only some runs need, or that costs much."""

from __future__ import annotations

import subprocess
import sys

# jsonschema takes the first two along where they are installed, and compiles a grammar with them.
NEEDLESS = {
    *("lark", "rfc3987_syntax", "matplotlib", "playwright", "cyclonedx", "websockets", "junitparser"),
}


def test_a_run_imports_nothing_that_it_does_not_need() -> None:
    line = "import sys, fleet.preview, fleet.assessment; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout
    loaded = {it.partition(".")[0] for it in printed.split()}
    assert "jsonschema" in loaded
    assert loaded & NEEDLESS == set()
