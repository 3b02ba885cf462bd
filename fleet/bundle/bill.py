"""The bill of materials of a bundle: every item with its digest, as the packages' own bills name it."""

from __future__ import annotations

from datetime import datetime

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.component import Component, ComponentType
from packageurl import PackageURL

from fleet.bundle.manifest import Item, Manifest
from roles.packing import sbom
from schemas.plan import item as kinds


def bill_of(manifest: Manifest) -> str:
    """The document (CycloneDX 1.6, JSON) of all that the bundle and those beneath it hold."""
    name = f"bundle for {manifest.inventory.name}"
    components = [_component(it) for it in manifest.items]
    at = datetime.fromisoformat(manifest.created)
    return sbom.bill(name, manifest.created, components, ComponentType.FILE, at)


def _component(item: Item) -> Component:
    name, _, version = item.name.rpartition(" ")
    types = {kinds.PACKAGE: "pypi", kinds.TARBALL: "npm"}
    of_model = item.kind in (kinds.MANIFEST, kinds.BLOB)
    namespace, _, short = (name or version).rpartition("/")
    if item.kind == kinds.DEBIAN and item.faces[0].endswith(".deb"):
        purl = PackageURL("deb", "debian", name, version)
    elif item.kind in types and item.origins:
        purl = PackageURL(types[item.kind], namespace or None, short, version)
    else:
        data = {"checksum": f"sha256:{item.sha256}"}
        data |= {"download_url": item.origins[-1]} if item.origins else {}
        purl = PackageURL("generic", None, item.name, None, data)
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL if of_model else ComponentType.LIBRARY,
        name=name or item.name,
        version=version if name else None,
        purl=purl,
        bom_ref=item.sha256,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=item.sha256)],
        licenses=sbom.licences(item.licence),
    )
