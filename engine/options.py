"""Options: what an operator may set of a verb with `--data NAME=VALUE`; whatever else is set is refused.

pyinfra passes every key through unchecked, and reads what looks like a number or JSON as such. So the
values are taken from the command line as they were written there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyinfra.connectors.ssh import connector_data_meta

from engine.refusal import Finding
from schemas.reading.problem import did_you_mean, listed

# What `--data` is to pyinfra when it connects, and the setting of an inventory that says the same.
_IN_THE_INVENTORY = {
    "ssh_hostname": "address",
    "ssh_port": "ssh.port",
    "ssh_user": "ssh.user",
    "ssh_key": "ssh.key",
    "ssh_known_hosts_file": "ssh.known_hosts",
    "_sudo": "ssh.sudo",
}
# Those that pyinfra has an option of its own for, which holds for one run.
_FLAGS = ("ssh_port", "ssh_user", "ssh_key", "ssh_key_password", "ssh_password")


@dataclass(frozen=True)
class Option:
    """One name that a verb knows."""

    name: str
    value: str  # what it may be, as documents and messages write it, e.g. "KEY"
    means: str
    among: Callable[[], Iterable[str]] | None = None  # the words that a list of it is made of; None: any text

    def __str__(self) -> str:
        return f"{self.name}={self.value}"

    def faults(self, value: str) -> list[Finding]:
        """What stands against this value."""
        if self.value == "yes" and value != "yes":
            required = f"--data {self}, or no {self.name} at all"
            return [Finding(required, f"{self.name}={value}", "say what is meant")]
        if not value.strip():
            remedy = "give it a value: a variable of the shell may be empty"
            return [Finding(f"--data {self}, or no {self.name} at all", f"{self.name}=", remedy)]
        known = list(self.among()) if self.among else []
        unknown = [it for it in words(value) if it not in known] if known else []
        return [
            Finding(f"{self.name} among {listed(known)}", it, did_you_mean(it, known) or "check the name")
            for it in unknown
        ]


def flag(name: str, means: str) -> Option:
    """`NAME=yes`, or nothing: what could be lost by a misunderstanding has only one spelling."""
    return Option(name, "yes", means)


@dataclass(frozen=True)
class Verb:
    """What an operator can run: a script of `deploy/` and its options."""

    path: str  # from the repository's root
    options: tuple[Option, ...]
    by_inventory: bool = True  # whether an inventory says how its hosts are reached; else pyinfra's data may


@dataclass(frozen=True)
class Options:
    """What was set of a verb: every option that it knows, empty where nothing was set."""

    values: Mapping[str, str]

    def flag(self, name: str) -> bool:
        """Whether `NAME=yes` was set."""
        return self.values[name] == "yes"

    def text(self, name: str) -> str:
        """The value as it was written; empty where nothing was set."""
        return self.values[name]

    def words(self, name: str) -> list[str]:
        """The words of a list that was written with commas."""
        return words(self.values[name])


def words(text: str) -> list[str]:
    """The words between commas."""
    return [it.strip() for it in text.split(",") if it.strip()]


def faults(verbs: Sequence[Verb], data: Sequence[str]) -> list[Finding]:
    """Everything that stands against these `--data` for these verbs of one run. Values are not repeated
    where they may be secrets: of what is unknown only the name is shown."""
    known = {it.name: it for verb in verbs for it in verb.options}
    found, seen = list[Finding](), set[str]()
    for written in data:
        name, equals, value = written.partition("=")
        if name in seen:
            found.append(Finding("each --data once", f"{name} twice", "remove one of the two"))
        elif name in known:
            # pyinfra itself ends with a traceback here; see config.py.
            found += known[name].faults(value) if equals else [_without_value(known[name])]
        elif name not in connector_data_meta or any(it.by_inventory for it in verbs):
            found.append(_unknown(name, verbs, known))
        seen.add(name)
    return found


def read(verb: Verb, data: Sequence[str]) -> Options:
    """The options of a verb from `--data` that has no faults."""
    given = dict(it.split("=", 1) for it in data)
    return Options({it.name: given.get(it.name, "") for it in verb.options})


def _without_value(option: Option) -> Finding:
    return Finding(f"--data {option}, or no {option.name} at all", option.name, "write NAME=VALUE")


def _unknown(name: str, verbs: Sequence[Verb], known: Mapping[str, Option]) -> Finding:
    paths = " and ".join(it.path for it in verbs)
    allowed = listed(map(str, known.values()))
    remedy = did_you_mean(name, known) or "remove it"
    if name in connector_data_meta or name.startswith("_"):
        # A plan is made of the inventory's words, e.g. the firewall of the port that SSH comes in by.
        settings = _IN_THE_INVENTORY.get(name, "")
        where = f"write {settings} in the inventory" if settings else "see ssh in docs/inventory.md"
        by_flag = f", or --{name.replace('_', '-')} for this run" if name in _FLAGS else ""
        remedy = f"how a host is reached is no option of a run: {where}{by_flag}"
    return Finding(f"an option of {paths}: {allowed}", f'the name "{name}"', remedy)
