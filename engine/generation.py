"""A generation: everything about a host that is switched together, and can be switched back.

Settings, units, the link to the release and the services that run with them. It is written to the
host as one file; the host itself applies it, waits until it serves, and takes it back if it does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NotRequired, TypedDict

from engine.answers import formed, known
from engine.env import quoted
from engine.observation import Observed
from engine.paths import GENERATIONS, RECEIPT
from engine.receipt import applied_by
from engine.resources import (
    Absent,
    Difference,
    Directory,
    Enabled,
    EnvFile,
    File,
    Link,
    Switchable,
    differing,
)
from engine.services import Generates, Reloads, Service, fingerprint


@dataclass(frozen=True)
class Generation:
    """What is switched together."""

    name: str  # for the operator, e.g. "Venom v1.9.0, light"
    resources: tuple[Switchable, ...]
    services: tuple[Service, ...]  # in the order in which they start
    stopped: tuple[str, ...]  # units that must not run
    store_paths: tuple[str, ...]  # paths in the stores that it needs: not pruned while it is kept
    record: Mapping[str, Any]  # what the receipt says was applied
    # What the inventory said of it: kept beside the record, and no part of what the generation is.
    declaration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name on the host: a digest of all that it is, which holds nothing to guess a secret from.

        What the inventory says is no part of it: in other words for the same, it makes the same generation.
        The letter keeps it a word: pyinfra's `--data` reads what looks like a number as one.
        """
        return f"g{fingerprint({**self.content(), 'record': dict(self.record)})[:12]}"

    @property
    def applied(self) -> dict[str, Any]:
        """What is applied with it, as `engine.receipt.applied_by` reads what was."""
        return {**self.record.get("applied", {}), "declaration": dict(self.declaration)}

    def content(self) -> dict[str, Any]:
        """What is written to the host, secrets included: for a file that only root can read."""
        return {
            "name": self.name,
            "resources": [describe(it) for it in self.resources],
            "services": [written(it) for it in self.services],
            "stopped": list(self.stopped),
            "parts": list(self.store_paths),
            "record": {**self.record, "applied": self.applied},
        }

    def differs(self, observed: Observed) -> list[Difference]:
        """What of the host is not so; empty where it is."""
        return [
            *differing(self.resources, observed),
            *(Difference(it.unit, it.state(observed)) for it in self.services if not it.runs(observed)),
            *(
                Difference(it.unit, f"does not answer: {why}")
                for it in self.services
                if (why := it.silence(observed))
            ),
            *(
                Difference(unit, "must not run")
                for unit in self.stopped
                if observed.units.get(unit, {}).get("ActiveState", "inactive") not in {"inactive", "failed"}
            ),
        ]

    @property
    def file(self) -> File:
        """The file that it is on the host."""
        content = json.dumps(self.content(), indent=1)
        return File(f"{GENERATIONS}/{self.key}.json", f"{content}\n", mode="0600")

    def unproven(self, observed: Observed) -> list[Difference]:
        """What is missing on the host where it did not switch to exactly this, and see it serve."""
        recorded = str(observed.receipt.get("generation", ""))
        link = Link(f"{GENERATIONS}/current", self.file.path.rsplit("/", 1)[-1])
        if recorded != self.key:
            receipt = Difference(RECEIPT, f"names {recorded or 'no generation'}, not {self.key}")
            return [receipt, *differing((link, self.file), observed)]
        # It was written with what the inventory said then, as the receipt was.
        as_written = replace(self, declaration=applied_by(observed.receipt).get("declaration", {}))
        doubts = [doubt for it in self.services for doubt in it.doubts(observed)]
        return [*differing((link, as_written.file), observed), *doubts]

    def lacks(self, observed: Observed) -> list[Difference]:
        """The parts that it needs and the host does not have."""
        return [Difference(path, "is not there") for path in self.store_paths if not observed.there(path)]


def written(service: Service) -> dict[str, Any]:
    """A service as the host's script reads it."""
    document = asdict(service)
    # One without these is the same, word by word, as before there were any.
    for name in ("may_spill", "checked_by"):
        if service.model and not document["model"][name]:
            del document["model"][name]
    if not service.data:
        del document["data"]
    return document


class _KnownFile(File):
    """A file of which the host reported the digest only."""

    @property
    def digest(self) -> str:
        return self.content


class _KnownSettings(EnvFile):
    """Settings of which the host reported the digests only, made with this run's nonce."""

    def digests(self, nonce: str) -> Mapping[str, str]:
        return self.values


class _Resource(TypedDict, total=False):
    """A resource, as `describe` writes it."""

    kind: str
    path: str
    owner: str
    mode: str
    content: str
    target: str
    unit: str
    values: dict[str, str]


class _Reload(TypedDict):
    """How a service takes another configuration."""

    test: list[str]
    site: str
    certificate: str
    listens: list[str]


class _Model(TypedDict):
    """What a model server must generate with; former versions had less of it."""

    name: str
    api: str
    gpu: bool
    load_timeout: int
    manifest: NotRequired[str]
    may_spill: NotRequired[bool]
    checked_by: NotRequired[str]


class _Service(TypedDict):
    """A service, as `content` writes it."""

    unit: str
    title: str
    fingerprint: str
    url: str
    ready_timeout: int
    reloads: NotRequired[_Reload | None]
    model: NotRequired[_Model | None]


class _Written(TypedDict):
    """The form of a generation."""

    name: str
    resources: list[_Resource]
    services: list[_Service]
    stopped: list[str]
    parts: list[str]
    record: dict[str, Any]


def restored(document: Mapping[str, Any]) -> Generation:
    """A generation as a host reports its own: as `content`, with digests instead of texts and values.

    Raises TypeCheckError, or KeyError, where it has another form.
    """
    formed(
        {
            **known(document, _Written),
            "resources": [known(it, _Resource) for it in document["resources"]],
            "services": [_known_service(it) for it in document["services"]],
        },
        _Written,
    )
    simple = ("unit", "title", "fingerprint", "url", "ready_timeout")
    return Generation(
        name=document["name"],
        resources=tuple(_restored(it) for it in document["resources"]),
        services=tuple(
            Service(**{key: it[key] for key in simple}, reloads=_reloads(it), model=_model(it))
            for it in document["services"]
        ),
        stopped=tuple(document["stopped"]),
        store_paths=tuple(document["parts"]),
        record=document["record"],
    )


def _known_service(service: Mapping[str, Any]) -> dict[str, Any]:
    """What is read of a service; other versions may say more of it, and of its model."""
    model = service.get("model")
    return {**known(service, _Service), **({"model": known(model, _Model)} if model else {})}


def _model(service: Mapping[str, Any]) -> Generates | None:
    it = service.get("model")
    return Generates(**{"manifest": "", **known(it, _Model)}) if it else None


def _reloads(service: Mapping[str, Any]) -> Reloads | None:
    # Generations of former versions have none that does.
    it = service.get("reloads")
    if not it:
        return None
    return Reloads(tuple(it["test"]), it["site"], it["certificate"], tuple(it["listens"]))


def _restored(document: Mapping[str, Any]) -> Switchable:
    match document["kind"]:
        case "directory":
            return Directory(document["path"], document["owner"], document["mode"])
        case "file":
            return _KnownFile(document["path"], document["content"], document["owner"], document["mode"])
        case "link":
            return Link(document["path"], document["target"])
        case "settings":
            return _KnownSettings(document["path"], document["values"], document["owner"])
        case "enabled":
            return Enabled(document["unit"])
        case _:
            return Absent(document["path"])


def describe(resource: Switchable) -> dict[str, Any]:
    """A resource as the host's script reads it."""
    match resource:
        case Directory(path, owner, mode):
            return {"kind": "directory", "path": path, "owner": owner, "mode": mode}
        case File(path, content, owner, mode):
            return {"kind": "file", "path": path, "content": content, "owner": owner, "mode": mode}
        case Link(path, target):
            return {"kind": "link", "path": path, "target": target}
        case EnvFile(path, values, owner):
            lines = {key: quoted(value) for key, value in values.items()}
            return {"kind": "settings", "path": path, "values": lines, "owner": owner}
        case Enabled(unit):
            return {"kind": "enabled", "unit": unit}
        case Absent(path):
            return {"kind": "absent", "path": path}
