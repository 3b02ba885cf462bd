"""The verbs, with every option that `--data` sets for each: docs/operating.md has the table."""

from __future__ import annotations

from pathlib import Path

from pyinfra.context import ctx_host, host

from engine.command_line import CommandLine, command_line
from engine.options import Option, Options, Verb, faults, flag, read
from engine.refusal import Finding, ends_the_run
from schemas.data.artifacts import variants
from schemas.data.systems import systems
from schemas.inventory import DeclaredHost

_VERBS = (
    Verb(
        "deploy/venom.py",
        (
            flag(
                "purge", "weights that the plan does not use are deleted, and what a store holds for nobody"
            ),
            flag("reboot", "a host whose driver was installed is rebooted, and the run goes on"),
        ),
    ),
    Verb("deploy/status.py", (flag("json", "one document instead of tables"),)),
    Verb("deploy/verify.py", (flag("suites", "Venom's own suites run, too"),)),
    Verb(
        "deploy/rollback.py",
        (
            Option("to", "KEY or RELEASE", "which generation; without it the one that served last before"),
            flag("with-state", "the data come back that it had when another Venom was switched to"),
        ),
    ),
    Verb("deploy/backup.py", ()),
    Verb(
        "deploy/restore.py",
        (
            Option("from", "HOST", "whose last backup; without it the host's own"),
            Option("snapshot", "ID", "which backup, whosever it is"),
        ),
    ),
    Verb("deploy/remove.py", (flag("purge", "data and weights are deleted, too, for good"),)),
    Verb(
        "deploy/images.py",
        (
            Option("variants", "NAME,NAME…", "which images are packed", among=variants),
            Option("registry", "PLACE", "where they are published"),
            Option("tag", "TAG", "published as the release with this tag"),
            flag("confirmed", "published by hand, without a release"),
            Option("extra", "TAG", "one more tag, beside confirmed=yes"),
        ),
    ),
    Verb(
        "deploy/bundle.py",
        (
            Option("inventory", "FILE", "whose plans it serves"),
            Option("to", "FOLDER", "where it is written"),
            Option("key", "FILE", "the SSH key that signs it"),
            Option("since", "FOLDER", "an older bundle: only what that lacks is packed"),
            Option("part_mib", "NUMBER", "the largest file of it"),
            Option("systems", "NAME,NAME…", "what the hosts run", among=systems),
        ),
        by_inventory=False,
    ),
    Verb(
        "deploy/publish.py",
        (
            Option("key", "FILE", "the SSH key that signs the plans"),
            Option("hosts", "NAME,NAME…", "only for these of the hosts that pull"),
        ),
    ),
    Verb(
        "deploy/migration.py",
        (Option("tree", "FOLDER", "the checkout of the older Venom"),),
        by_inventory=False,
    ),
)
VERBS = {verb.path: verb for verb in _VERBS}
_ROOT = Path(__file__).resolve().parents[1]


def verbs_of(line: CommandLine) -> list[Verb]:
    """The verbs that a command line names, however it writes their paths."""
    found = (VERBS.get(from_root(path)) for path in line.deploys)
    return [it for it in found if it]


def from_root(path: str) -> str:
    """A path from the repository's root, where it lies below that."""
    whole = Path(path).resolve()
    return str(whole.relative_to(_ROOT)) if whole.is_relative_to(_ROOT) else path


def options_of(path: str) -> Options:
    """The options of the verb that is run now. Raises DeployError, for all hosts at once, where that
    is not what the verb knows, or where the verb was named in the inventory's place."""
    if not ctx_host.isset():  # type: ignore[no-untyped-call]
        found = f"{path} in the place of the inventory"
        remedy = f"pyinfra inventories/office.py {path}"
        raise ends_the_run(Finding("the inventory first, then the verb", found, remedy))
    line = command_line()
    if wrong := faults(verbs_of(line) or [VERBS[path]], line.data):
        raise ends_the_run(*wrong)
    return read(VERBS[path], line.data)


def declared_host() -> DeclaredHost:
    """What the inventory says of the current host. Raises DeployError where it is none of ours."""
    one = host.data.get("declared")
    if isinstance(one, DeclaredHost):
        return one
    raise ends_the_run(
        Finding(
            "hosts of an inventory: a YAML file, and the .py beside it",
            f"{host.name}, which is in no such inventory",
            "pyinfra inventories/office.py …: README.md shows how to make one",
        )
    )
