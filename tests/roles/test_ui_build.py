"""What an operator reads of a UI that does not build: the first error of what Next.js printed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from roles.ui.deploy import FIRST_ERROR

_TYPES = """
> web-next@1.9.0 build
> next build

 \x1b[33m\x1b[1m⚠\x1b[22m\x1b[39m Warning: Next.js inferred your workspace root
   Creating an optimized production build ...
 ✓ Compiled successfully in 41s
   Running TypeScript ...
Failed to compile.

./components/chat.tsx:12:7
\x1b[31mType error\x1b[39m: Type 'string' is not assignable to type 'number'.

  10 | const a = 1;
> 12 |       count="3"
     |       ^
Next.js build worker exited with code: 1 and signal: null
"""
_MODULE = """
> next build
./app/page.tsx
12:3  Warning: 'x' is defined but never used.
> Build error occurred
Error: Turbopack build failed with 1 errors:
./app/page.tsx:5:1
Module not found: Can't resolve 'nothing'
"""


def first_error(text: str) -> list[str]:
    command = [sys.executable, "-I", "-S", str(FIRST_ERROR)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_an_error_of_types_is_reported_with_its_place_and_without_colours() -> None:
    assert first_error(_TYPES)[:3] == [
        "Failed to compile.",
        "./components/chat.tsx:12:7",
        "Type error: Type 'string' is not assignable to type 'number'.",
    ]


def test_a_module_that_is_missing_is_reported_and_no_warning_before_it() -> None:
    assert first_error(_MODULE) == [
        "> Build error occurred",
        "Error: Turbopack build failed with 1 errors:",
        "./app/page.tsx:5:1",
        "Module not found: Can't resolve 'nothing'",
    ]


@pytest.mark.parametrize("lines", [3, 40])
def test_where_nothing_calls_itself_an_error_the_last_lines_are_reported(lines: int) -> None:
    printed = [f"line {number}" for number in range(lines)]
    assert first_error("\n".join(printed)) == printed[-12:]


def test_what_is_shown_is_short() -> None:
    shown = first_error("\n".join(["Type error: " + "x" * 1000, *["more"] * 100]))
    assert len(shown) == 12
    assert max(map(len, shown)) == 200
