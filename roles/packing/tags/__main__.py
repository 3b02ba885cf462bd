"""`python -m roles.packing.tags`: whether a commit may be published, and the names of its images.

python -m roles.packing.tags --tag v1.9.0 SOURCE                          for a release tag
python -m roles.packing.tags --by-hand --confirmed true --extra rc1 SOURCE   by hand

Exit status 0 with a NAME:TAG a line for each package of schemas/data/artifacts.yaml, or 2 with everything
that is against it on standard error. For the step of a CI before the one that builds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.refusal import RefusedError
from roles.packing.tags.repository import look
from roles.packing.tags.rules import by_hand, by_tag
from schemas.data.artifacts import variants


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m roles.packing.tags",
        description="Decide whether a commit may be published, and under which tags.",
    )
    parser.add_argument("source", type=Path, help="Venom's checkout: what would be published")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--tag", help="the release tag that was pushed")
    kind.add_argument("--by-hand", action="store_true", help="published by hand, without a release tag")
    parser.add_argument("--confirmed", choices=["true", "false"], default="false", help="by hand: confirmed")
    parser.add_argument("--extra", default="", help="by hand: one more tag")
    given = parser.parse_args(arguments)
    try:
        commit = look(given.source, given.tag or "")
        if given.by_hand:
            tags = by_hand(given.confirmed == "true", given.extra, commit)
        else:
            tags = by_tag(given.tag, commit)
    except RefusedError as refusal:
        print("\n\n".join(map(str, refusal.findings)), file=sys.stderr)
        return 2
    for name in variants():
        print("\n".join(f"{name}:{tag}" for tag in tags))
    return 0


if __name__ == "__main__":
    sys.exit(main())
