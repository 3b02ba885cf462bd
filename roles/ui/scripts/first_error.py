"""Runs on the host: the first error in what a build of the UI printed (standard input), or its last lines."""

import re
import sys

LINES = 12
WIDTH = 200
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# How Next.js, its type check, and npm begin what failed. Warnings of the linter stand before it.
BEGINS = re.compile(
    r"(> )?(Failed to compile|Failed to type check|Build error occurred|Type error: |\w*Error: |npm error )"
)


def first_error(text):
    """The lines of the first error, without colours and empty lines; the last lines where there is none."""
    lines = [it.rstrip()[:WIDTH] for it in COLOUR.sub("", text).splitlines()]
    lines = [it for it in lines if it]
    begun = next((at for at, line in enumerate(lines) if BEGINS.match(line.lstrip())), None)
    return lines[-LINES:] if begun is None else lines[begun : begun + LINES]


print("\n".join(first_error(sys.stdin.read())))
