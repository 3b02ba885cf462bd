"""Puts a publication at the store: its contents first, each verified there, then each plan by a rename."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, TypedDict

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import live, outcome, remote
from engine.answers import data, understood
from engine.operations import Commands, fail
from engine.progress import moment_of, size
from engine.refusal import RefusedError, refuse
from fleet.publishing.publication import Publication
from roles.pull.deploy import SCRIPTS
from roles.store.server import TREE


class _Stand(TypedDict):
    """What publish.py says."""

    missing: list[str]  # contents, by digest
    newer: dict[str, int]  # host → the serial that is there


@operation(is_idempotent=False)
def plans_published(publication: Publication) -> Commands:
    """
    Put signed plans at the store, where their hosts fetch them.

    + publication: the plans and what they name
    """
    yield FunctionCommand(_publish, (publication,), {})


def _publish(state: Any, host: Any, publication: Publication) -> bool:
    try:
        stand = _ask("look", publication)
        for digest in stand["missing"]:
            live.report(host, f"sends {size(len(publication.contents[digest]))}")
            _send(publication.contents[digest], f"{TREE}/pull/contents/{digest}")
        _ask("publish", publication)
    except RefusedError as refusal:
        return fail(state, host, *map(str, refusal.findings))
    names = ", ".join(publication.plans)
    outcome.serves(host.name, f"published plans of {moment_of(publication.serial)} for {names}")
    return True


def _ask(what: str, publication: Publication) -> _Stand:
    request = {"plans": publication.plans, "serial": publication.serial, "contents": [*publication.contents]}
    command = remote.python(
        "publish.py", json.dumps(request), SCRIPTS, arguments=(TREE, what), modules=("form.py",)
    )
    answer = remote.ask(command, timeout=300)
    if not answer.ok:
        found = answer.stderr.strip()[-500:] or "no answer"
        remedy = "run deploy/venom.py over this host: it makes the store serve"
        raise refuse("a store that plans can be put into", found, remedy)
    stand = understood("what the store has of plans", answer.stdout, lambda text: data(text, _Stand))
    if stand["newer"]:
        found = ", ".join(f"{name}: {moment_of(it)}" for name, it in stand["newer"].items())
        raise refuse("no newer plans at the store", found, "check the clocks of those who publish")
    return stand


def _send(content: bytes, path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "content"
        file.write_bytes(content)
        answer = remote.ask(remote.send(file, path), timeout=600)
    if not answer.ok:
        raise refuse(f"{path} on {host.name}", answer.stderr.strip() or "no answer", outcome.RUN_AGAIN)
