"""Looking at an older installation, and drawing up the inventory that reproduces it."""

from __future__ import annotations

import getpass
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

from pyinfra.api.exceptions import DeployError
from pyinfra.connectors.local import LocalConnector
from pyinfra.context import host
from pyinfra.context import state as pyinfra_state

from engine import outcome, remote
from engine.answers import understood
from engine.connection.connector import Connector
from engine.connection.known_hosts import PORT
from engine.refusal import Finding, RefusedError, ends_the_run
from roles.migration.drawn import Drawn, draw
from roles.migration.installation import Installation, request
from schemas.data.contract import contract
from schemas.data.pins import load as load_pins
from schemas.inventory import load
from schemas.reading.problem import InventoryError

SCRIPTS = Path(__file__).parent / "scripts"


def look_at_installation(tree: str) -> Installation:
    """The installation in the folder `tree`, on the current host.

    Raises DeployError where there is none, or it cannot be looked at.
    """
    if len(pyinfra_state.inventory.hosts) > 1:
        raise _no("one host at a time", f"{len(pyinfra_state.inventory.hosts)} hosts", "name one of them")
    if not isinstance(host.connector, Connector | LocalConnector):
        raise _no(
            "this machine or @venom/HOST: its host key is checked", host.name, f"name @venom/{host.name}"
        )
    if not tree:
        raise _no("the folder of the old checkout", "none", "--data tree=/home/ada/Venom")
    answer = remote.ask(remote.python("see.py", request(tree), SCRIPTS))
    if not answer.ok:
        errors = answer.stderr.strip().splitlines() or ["no answer"]
        raise _no("a host that can be observed (python3 answers)", errors[-1], "check the SSH user")
    try:
        installation = understood("which Venom is there", answer.stdout, Installation.of)
    except RefusedError as refusal:
        raise DeployError(f"\n{refusal}") from None
    if not installation.there:
        raise _no(f"a checkout of Venom in {installation.tree}", "no venom_core there", "name its folder")
    return installation


def print_inventory(installation: Installation) -> NoReturn:
    """Print the inventory, alone on standard output, and end: nothing is to be changed."""
    pins, problems = load_pins()
    if pins is None:
        raise DeployError("\n".join(map(str, problems)))
    drawn = draw(installation, *_reached(installation), pins)
    checked(drawn)
    how = "its compose file" if installation.by_compose else "its Makefile"
    file = f", settings of {installation.file}" if installation.file else ", no file of settings"
    outcome.end(f"# Venom in {installation.tree}, run by {how}{file}.\n{drawn.text}".rstrip(), 0)


def checked(drawn: Drawn) -> None:
    """Raise DeployError where our own validation has something against the inventory: a fault of ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inventory.yaml"
        path.write_text(drawn.text, encoding="utf-8")
        try:
            load(path, dict.fromkeys(contract().secret(), "to be given"))
        except InventoryError as error:
            raise DeployError(f"the inventory that was made is not valid: {error}") from error


def _reached(installation: Installation) -> tuple[str, Mapping[str, Any]]:
    """The host's name in an inventory, and how it is reached."""
    name = re.sub(r"[^a-z0-9-]+", "-", installation.host.lower()).strip("-") or "box"
    if host.name == "@local":
        user = getpass.getuser()
        return name, {
            "address": "@local",
            "ssh": {"user": user, **({} if os.geteuid() == 0 else {"sudo": True})},
        }
    login = cast(Connector, host.connector).login
    assert login is not None  # connected by now
    ssh = {"user": login.user, **({} if login.port == PORT else {"port": login.port})}
    return name, {"address": login.name, "ssh": {**ssh, **({} if login.user == "root" else {"sudo": True})}}


def _no(required: str, found: str, remedy: str) -> DeployError:
    return ends_the_run(Finding(required, found, remedy))
