"""The bill of materials of an image or a bundle, as CycloneDX: what of others is in it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_expression, is_supported_id
from packageurl import PackageURL

from schemas.model import Artifact


def bill(
    name: str,
    version: str,
    components: Iterable[Component],
    type: ComponentType = ComponentType.CONTAINER,
    at: datetime | None = None,
) -> str:
    """The document of what is called `name`. Raises ValueError where the library finds it unsound.

    `at`: when it was made; with it the same components give the same bytes.
    """
    bom = Bom(components=components)
    if at is not None:
        bom.metadata.timestamp = at
        held = sorted(str(it.bom_ref.value) for it in bom.components)
        bom.serial_number = uuid5(NAMESPACE_URL, f"{name} {version} {held}")
    bom.metadata.component = Component(type=type, name=name, version=version, bom_ref=name)
    bom.register_dependency(bom.metadata.component, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def licences(text: str) -> list[License]:
    """A licence as its publisher names it, as CycloneDX tells it; none where nothing is known."""
    if not text:
        return []
    if is_supported_id(text):
        return [DisjunctiveLicense(id=text)]
    return [LicenseExpression(text) if is_expression(text) else DisjunctiveLicense(name=text)]


def of_debian(packages: str, distribution: str) -> list[Component]:
    """Debian's packages, from lines of name, version and architecture; `distribution`: e.g. "debian-13"."""
    found = (line.split("\t") for line in packages.splitlines() if line.strip())
    return [
        _component(
            name, version, PackageURL("deb", "debian", name, version, {"arch": arch, "distro": distribution})
        )
        for name, version, arch in found
    ]


def of_lock(text: str) -> list[Component]:
    """The Python packages that a lock names."""
    pinned = (
        line.split()[0].split("==") for line in text.splitlines() if "==" in line and line[:1].isalnum()
    )
    return [
        _component(name, version.rstrip(";"), PackageURL("pypi", None, name, version.rstrip(";")))
        for name, version in pinned
    ]


def of_npm(document: str) -> list[Component]:
    """The packages of the UI, from what `npm sbom --sbom-format cyclonedx` printed."""
    read = Bom.from_json(json.loads(document))  # type: ignore[attr-defined]
    return list(read.components)


def of_artifact(artifact: Artifact) -> Component:
    """An interpreter, or Node.js, as upstream publishes it."""
    purl = PackageURL(
        "generic",
        None,
        artifact.name,
        artifact.version,
        {"download_url": artifact.urls[-1], "checksum": f"sha256:{artifact.sha256}"},
    )
    return _component(
        artifact.name,
        artifact.version,
        purl,
        type=ComponentType.PLATFORM,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=artifact.sha256)],
    )


def _component(
    name: str,
    version: str,
    purl: PackageURL,
    type: ComponentType = ComponentType.LIBRARY,
    hashes: Iterable[HashType] = (),
) -> Component:
    return Component(type=type, name=name, version=version, purl=purl, bom_ref=str(purl), hashes=hashes)
