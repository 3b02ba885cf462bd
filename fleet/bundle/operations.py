"""Makes a bundle on the controller, as an operation: it says how far it is, and in the end what was made."""

from __future__ import annotations

from typing import Any

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from engine import live, outcome
from engine.operations import Commands, fail
from engine.progress import size
from engine.refusal import RefusedError
from fleet.bundle.bundling import Bundling, summary
from fleet.bundle.fill import FULL


@operation(is_idempotent=False)
def bundle_made(bundling: Bundling) -> Commands:
    """
    Fetch, pack and sign what a bundle holds.

    + bundling: what that is, and where it goes
    """
    yield FunctionCommand(_make, (bundling,), {})


def _make(state: Any, host: Any, bundling: Bundling) -> bool:
    try:
        manifest = bundling.make(lambda what, done: live.report(host, f"{what}: {size(done)}"))
    except RefusedError as refusal:
        return fail(state, host, str(refusal))
    except OSError as error:
        if error.errno not in FULL:
            raise
        return fail(
            state,
            host,
            f"required  room for the bundle, in {bundling.to.parent} and in the cache of this user\n"
            f"found     {error.strerror}: {error.filename or 'the disk is full'}\n"
            "do        free some, and run again: what was fetched is kept",
        )
    outcome.serves(host.name, summary(manifest, bundling.to))
    return True
