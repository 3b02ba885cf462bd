"""An inventory reduced to one host, as that host reads it: what lies on this machine comes along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from engine.refusal import Finding
from schemas.declared.checks import references
from schemas.declared.references import absolute, secret_of
from schemas.inventory import DeclaredHost

# How it is reached and grouped is of no use to the host itself.
_NOT_ITS_OWN = ("groups", "ssh")
FOLDER = "inventories"
# Where the files of a tree of Venom go.
TREE = f"{FOLDER}/venom"
_READER = '''\
"""Gives pyinfra this very machine, as the YAML file beside this one declares it."""

from pathlib import Path

from fleet.inventory import groups_of

globals().update(groups_of(Path(__file__).with_suffix(".yaml"), here=True))
'''


def reduced(declared: DeclaredHost) -> Mapping[str, bytes]:
    """The files of the inventory of this host alone, by their paths from the house's root.

    A tree of Venom is no part of them: it goes to TREE.
    """
    settings = declared.settings
    own: dict[str, Any] = {k: v for k, v in deepcopy(settings.data).items() if k not in _NOT_ITS_OWN}
    files: dict[str, bytes] = {}

    def take(name: str, path: str) -> str:
        files[f"{FOLDER}/{name}"] = Path(path).read_bytes()
        return name

    own.setdefault("address", declared.name)
    if declared.ssh.port:
        # None of its services may take that one.
        own["ssh"] = {"port": declared.ssh.port}
    own["store"] = {"url": declared.store.url if declared.store else ""}
    if declared.ca_bundle:
        own["ca_bundle"] = take("ca_bundle.pem", declared.ca_bundle)
    if settings.get("door", "tls") == "own" and settings.get("door", "certificate"):
        certificate = absolute(settings.get("door", "certificate"), settings)
        own["door"]["certificate"] = take("certificate.pem", certificate)
    for keys, written in references(settings):
        around = own
        for key in keys[:-1]:
            around = around[key]
        secret = secret_of(written, settings)
        around[keys[-1]] = f"{secret.kind}:{secret.target}"
    if declared.source.kind == "tree":
        own["venom"]["tree"] = Path(TREE).name
    if declared.source.kind == "repository":
        # Its archive comes with the cache; of the repository itself only the form is looked at.
        own["venom"]["repository"] = "repository"
        files[f"{FOLDER}/repository/.git"] = b""
    pins = [absolute(it, settings) for it in settings.document.data.get("pins") or ()]
    document = {
        "pins": [take(f"pins-{number}.yaml", path) for number, path in enumerate(pins)],
        **({"rollout": {"pause": declared.rollout.pause}} if declared.rollout else {}),
        "hosts": {declared.name: own},
    }
    files[f"{FOLDER}/fleet.yaml"] = yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()
    files[f"{FOLDER}/fleet.py"] = _READER.encode()
    return files


def unfit(declared: DeclaredHost) -> Iterator[Finding]:
    """What of this host's declaration no host can do by itself."""
    for keys, written in references(declared.settings):
        secret = secret_of(written, declared.settings)
        if secret.kind != "file":
            yield Finding(
                f"{declared.name}: {'.'.join(keys)} as file:PATH, which the host itself can read",
                f"{secret.kind}: is known to this machine only, and no secret is published",
                "put the secret into a file of the host that only root can read, and name that",
            )
