"""An older installation of Venom, as its host reports it (scripts/see.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from engine.answers import data
from schemas.data.contract import contract

# Where each way of running Venom keeps its settings, and the example that they were copied from: .env up
# to v1.6, .env.dev and .env.preprod from v1.7; docker compose reads the .env beside its file.
MAKEFILE = {".env": ".env.example", ".env.dev": ".env.dev.example", ".env.preprod": ".env.preprod.example"}
COMPOSE = {"compose/.env": ""}
# Words of a name: *_TOKEN, but not *_TOKENS, which are counts.
_SECRET = r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS|WEBHOOK)(_|$)"
# What the units that the provisioner writes begin with.
_MARK = "Managed by the Venom provisioner"
_PROCESSES = {
    "backend": r"uvicorn\S* .*venom_core\.main:app",
    "ui": r"(next-server|next dev|next start|/\.bin/next )",
    "ollama": r"(^|/)ollama serve",
    "vllm": r"vllm(\.entrypoints\S*| serve)",
}


def request(tree: str) -> str:
    """What the script on the host reads."""
    names = "|".join(contract().secret())
    return json.dumps(
        {
            "tree": tree,
            "files": MAKEFILE | COMPOSE,
            "secret": f"{_SECRET}|^({names})$",
            "processes": _PROCESSES,
            "inside": ["backend", "ui"],
            "mark": _MARK,
        }
    )


@dataclass(frozen=True)
class Settings:
    """One file of settings: values without secrets, those of its example, and the secrets it gives."""

    values: Mapping[str, str]
    example: Mapping[str, str]
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    """A folder of data in the checkout."""

    path: str
    bytes: int
    files: int
    old: int  # files that were last changed more than seven days ago


@dataclass(frozen=True)
class Process:
    """Something of Venom, or a model server, that runs."""

    kind: str
    pid: int
    port: int  # 0: it does not say


class _Settings(TypedDict):
    values: dict[str, str]
    example: dict[str, str]
    secrets: list[str]


class _Data(TypedDict):
    path: str
    bytes: int
    files: int
    old: int


class _Process(TypedDict):
    kind: str
    pid: int
    port: int


class _Answer(TypedDict):
    """The form of what see.py prints."""

    tree: str
    there: bool
    host: str
    version: str
    commit: str
    remote: str
    changed: int
    files: dict[str, _Settings]
    compose: dict[str, dict[str, int]]
    volumes: list[str]
    processes: list[_Process]
    units: dict[str, str]
    data: list[_Data]
    packages: list[str]


@dataclass(frozen=True)
class Installation:
    """All that was seen."""

    tree: str
    there: bool  # whether there is a Venom in that folder
    host: str  # what the host calls itself
    version: str  # what pyproject.toml claims
    commit: str  # empty: git does not say
    remote: str
    changed: int  # files of the code that differ from the commit
    files: Mapping[str, Settings]  # by path in the checkout
    compose: Mapping[str, Mapping[str, int]]  # compose file → port in the container → port of the host
    volumes: tuple[str, ...]
    processes: tuple[Process, ...]
    units: Mapping[str, str]  # service → systemd's ActiveState
    data: tuple[Data, ...]
    packages: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Installation:
        """The installation in what the host answered. Raises what `answers.data` raises."""
        document = data(text, _Answer)
        simple = ("tree", "there", "host", "version", "commit", "remote", "changed", "compose", "units")
        return cls(
            **{name: document[name] for name in simple},  # type: ignore[literal-required]
            files={
                path: Settings(it["values"], it["example"], tuple(it["secrets"]))
                for path, it in document["files"].items()
            },
            volumes=tuple(document["volumes"]),
            processes=tuple(Process(**it) for it in document["processes"]),
            data=tuple(Data(**it) for it in document["data"]),
            packages=frozenset(document["packages"]),
        )

    @property
    def by_compose(self) -> bool:
        """Whether it ran in containers: their volumes or their settings are there, and no other's."""
        mine = [path for path in self.files if path in MAKEFILE]
        return bool(self.volumes or "compose/.env" in self.files) and not mine

    @property
    def file(self) -> str:
        """The file of settings that it runs with; empty where there is none.

        From v1.7 on a `.env` is a rest of an older release: the Makefile and the backend read `.env.dev`.
        """
        order = ("compose/.env", ".env.dev", ".env", ".env.preprod")
        return next((it for it in order if it in self.files and (it in COMPOSE) == self.by_compose), "")

    @property
    def settings(self) -> Settings:
        """What stands in that file; nothing where there is none."""
        return self.files.get(self.file) or Settings({}, {}, ())

    def chosen(self) -> dict[str, str]:
        """The settings that somebody chose: those that differ from the example."""
        it = self.settings
        return {
            name: value for name, value in it.values.items() if value and value != it.example.get(name, "")
        }
