"""Refuses a command before any connection where pyinfra would do something else, or nothing, and say that
it went well: a mistyped inventory is a fleet without hosts to it, and a second inventory a deploy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.command_line import CommandLine, command_line
from engine.options import faults
from engine.refusal import Finding, ends_the_run
from fleet.verbs import VERBS, from_root, verbs_of
from schemas.reading.problem import listed, nearest

_REMEDY = "pyinfra inventories/office.py deploy/venom.py"


def refuse_what_cannot_be_meant() -> None:
    """Raises DeployError with everything that stands against the command line of this process."""
    if wrong := list(against(command_line(), Path.cwd())):
        raise ends_the_run(*wrong)


def against(line: CommandLine, folder: Path) -> Iterator[Finding]:
    """Everything that stands against a command line that was written in this folder."""
    verbs, swapped = verbs_of(line), from_root(line.inventory) in VERBS
    yield from _inventory(line, folder, needed=any(it.by_inventory for it in verbs))
    for path in line.deploys:
        if not swapped and _is_inventory(folder / path):
            remedy = "run once for each inventory"
            yield Finding("one inventory, then a verb", f"the inventory {path} as well", remedy)
    if verbs:
        yield from faults(verbs, line.data)
    else:
        for it in line.data:
            if "=" not in it:
                yield Finding("--data NAME=VALUE", it, f"write {it}=…")


def _inventory(line: CommandLine, folder: Path, *, needed: bool) -> Iterator[Finding]:
    """What is wrong with what stands in the inventory's place. `needed`: whether no host may stand there."""
    name = line.inventory
    path = folder / name
    required = "an inventory that is there"
    if from_root(name) in VERBS:
        yield Finding("the inventory first, then the verb", f"{name} first", _REMEDY)
    elif path.suffix in (".yaml", ".yml") and path.is_file():
        beside = Path(name).with_suffix(".py")
        there = (folder / beside).is_file()
        remedy = f"name {beside}, beside it" if there else f"cp inventories/lab.py {beside}, and name that"
        yield Finding("the .py of an inventory", name, remedy)
    elif path.is_dir():
        yield Finding(required, f"{name}, a folder", _nearest(name, folder))
    elif not path.is_file() and (needed or _means_a_file(name)):
        yield Finding(required, f"{name}: no such file", _nearest(name, folder))


def _means_a_file(name: str) -> bool:
    """Whether that is no host, list of hosts or connector."""
    return name.endswith((".py", ".yaml", ".yml")) or ("/" in name and "@" not in name)


def _nearest(name: str, folder: Path) -> str:
    """The remedy for a mistyped inventory: one that is there."""
    known = {it.stem: it for it in sorted(folder.glob("inventories/*.py")) if _is_inventory(it)}
    match = nearest(Path(name).stem, known)
    if match is None:
        return f"name one that is there: {listed(str(it.relative_to(folder)) for it in known.values())}"
    return f'did you mean "{known[match].relative_to(folder)}"?'


def _is_inventory(path: Path) -> bool:
    """Whether it is one of ours: a `.py` that has its YAML file beside it."""
    return path.suffix == ".py" and path.is_file() and path.with_suffix(".yaml").is_file()
