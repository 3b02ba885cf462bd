"""`venom-bundle.pyz fill BUNDLE STORE --signers FILE`: check a bundle and fill a store's tree with it.

`check BUNDLE --signers FILE` only checks. Exit status: 0; 1 with the reason, and then nothing was put in
place; 2 for a command line that cannot be meant. From a clone: `python3 -m fleet.bundle …`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fleet.bundle.check import Checked, Wanted, check
from fleet.bundle.fault import BundleError
from fleet.bundle.fill import fill, go_on_as_owner
from fleet.bundle.parts import Reader

_LINE_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    given = _parser().parse_args(arguments)
    wanted = Wanted(given.inventory, tuple(given.release), tuple(given.architecture), tuple(given.system))
    progress = _Progress()
    try:
        checked = check(given.bundle, given.signers, wanted, progress)
        print(_summary(checked))
        if given.what == "fill":
            with Reader(checked.folder, checked.manifest.parts) as archive:
                go_on_as_owner(given.store)
                done = fill(checked, archive, given.store, progress)
            print(f"{given.store}: {done.placed} files placed, {done.kept} were there")
    except BundleError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        found = f"{error.filename or 'the disk'}: {error.strerror}"
        required = "a bundle that can be read, and a folder that can be written"
        print(BundleError(required, found, "run as who may do that"), file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="venom-bundle", description="Check a bundle, and fill a store's folder from it."
    )
    verbs = parser.add_subparsers(dest="what", required=True)
    only = verbs.add_parser("check", help="check a bundle")
    both = verbs.add_parser("fill", help="check a bundle, and fill a store's folder from it")
    for one in (only, both):
        one.add_argument("bundle", type=Path, help="the bundle's folder")
    both.add_argument("store", type=Path, help="the folder that the store serves")
    for one in (only, both):
        one.add_argument("--signers", type=Path, required=True, help="allowed signers, see ssh-keygen(1)")
        one.add_argument("--inventory", type=Path, help="refuse a bundle for another one than this YAML file")
        for of in ("release", "architecture", "system"):
            one.add_argument(
                f"--{of}", action="append", default=[], help=f"refuse a bundle without this {of}"
            )
    return parser


def _summary(checked: Checked) -> str:
    it = checked.manifest
    size = sum(one.size for one in it.packed) / 1e6
    above = f", on top of the one from {it.since.created}" if it.since else ""
    return (
        f"bundle for {it.inventory.name} from {it.created}{above}, signed by {checked.signer}: "
        f"{len(it.packed)} files, {size:.0f} MB, Venom {', '.join(it.releases)}, "
        f"{', '.join((*it.architectures, *it.systems))}"
    ) + "".join(f"\nnot in it: {one}" for one in it.lacks)


class _Progress:
    """Says now and then how far it is, on standard error."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, what: str, done: int) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_SECONDS:
            self._last = now
            print(f"{what}: {done / 1e6:.0f} MB", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
