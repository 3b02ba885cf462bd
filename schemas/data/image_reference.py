"""References to container images: what is one, and from which places one can be pulled. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.model import Image

# REGISTRY/PATH[:TAG][@sha256:DIGEST], as the schemas let it in.
_REFERENCE = re.compile(
    r"(?P<registry>[^/@]+)/(?P<path>[^:@]+)(?::(?P<tag>[^@]+))?(?:@sha256:(?P<sha256>[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class Reference:
    """A reference in its parts. Without a digest (hex sha256) it is no pin: a tag may move."""

    registry: str  # host, or host:port
    path: str
    tag: str
    sha256: str

    @classmethod
    def of(cls, text: str) -> Reference:
        """The reference that `text` is. Raises ValueError where it is none."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise ValueError(f"no reference to an image: {text}")
        parts = match.groupdict(default="")
        return cls(parts["registry"], parts["path"], parts["tag"], parts["sha256"])

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{self.path}{tag}{f'@sha256:{self.sha256}' if self.sha256 else ''}"


def image(
    name: str, version: str, reference: Reference, mirrors: Sequence[str], *, upstream: bool = True
) -> Image:
    """The image with the places that may have it: each mirror instead of its registry, then that.

    `upstream`: whether its own registry is a place.
    """
    pinned = f"{reference.path}@sha256:{reference.sha256}"
    registries = (*mirrors, *([f"https://{reference.registry}"] if upstream else []))
    return Image(name, version, reference.sha256, tuple(f"{it}/{pinned}" for it in registries))


def without_digest(reference: Reference) -> tuple[str, str, str]:
    """Why such a reference is refused: what was found, what is allowed, what to do."""
    allowed = f"{reference.registry}/{reference.path}@sha256:…"
    return f'"{reference}", which has no digest', allowed, how_to_pin(str(reference))


def how_to_pin(reference: str) -> str:
    """What to do about an image that has no digest."""
    return f"python -m roles.packing.pin {reference} tells the digest that it has now"
