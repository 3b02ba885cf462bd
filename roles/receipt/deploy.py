"""The receipt: written last, once everything serves; so a receipt that is current means proof."""

from __future__ import annotations

import getpass
import json
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pyinfra.api.command import FunctionCommand
from pyinfra.api.deploy import deploy
from pyinfra.api.operation import operation
from pyinfra.context import host

from roles.common import outcome, paths, remote
from roles.common.look import Seen
from roles.common.operations import Commands, fail
from roles.common.services import Service, grouped, ready

BEGUN = time.time()


def current(applied: Mapping[str, Any], seen: Seen) -> bool:
    """Whether the host's receipt says that exactly this was applied and proven."""
    return bool(seen.receipt.get("applied") == json.loads(json.dumps(applied)))


@deploy("Proof")
def receipt(
    applied: Mapping[str, Any],
    settings: Sequence[str],
    services: Sequence[Service],
    proven: bool,
    serves: str,
    seen: Seen,
) -> None:
    """Wait until everything serves, then record what was applied."""
    grouped(name=paths.TARGET, target=paths.TARGET, seen=seen)
    ready(name="every service answers", services=services, seen=seen, needed=not proven)
    record = {"applied": applied, "managed_environment": list(settings)}
    written(name="receipt", record=record, proven=proven, serves=serves, seen=seen)


@operation()
def written(record: Mapping[str, Any], proven: bool, serves: str, seen: Seen) -> Commands:
    """
    Write the receipt.

    + record: what was applied, without secrets
    + proven: whether the receipt of an earlier run says all of this already
    + serves: what to tell the operator at the end
    + seen: the receipt of the last run
    """
    if proven:
        host.noop("the receipt is current")
        return
    yield FunctionCommand(_write, (record, serves), {})


def _write(state: Any, host: Any, record: Mapping[str, Any], serves: str) -> bool:
    jobs = remote.ask(remote.python("timings.py", paths.JOBS))
    text = json.dumps(
        {
            **record,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": f"{getpass.getuser()}@{socket.gethostname()}",
            "seconds": round(time.time() - BEGUN, 1),
            "branches": json.loads(jobs.stdout) if jobs.ok else {},
        },
        indent=2,
    )
    answer = remote.ask(remote.shell("put.sh", paths.RECEIPT, "root", "0644", stdin=f"{text}\n"))
    if not answer.ok:
        return fail(state, host, f"the receipt could not be written: {answer.stderr}")
    outcome.serves(host.name, f"{serves}\n{time.time() - BEGUN:.0f} s after the start of the run")
    return True
