"""The bill of materials of an image, as CycloneDX: what of Debian, Python and npm is in it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from schemas.model import Artifact


def bill(name: str, version: str, components: Iterable[Component]) -> str:
    """The document of the image `name`. Raises ValueError where the library finds it unsound."""
    bom = Bom(components=components)
    bom.metadata.component = Component(type=ComponentType.CONTAINER, name=name, version=version, bom_ref=name)
    bom.register_dependency(bom.metadata.component, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


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
