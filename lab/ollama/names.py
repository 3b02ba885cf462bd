"""Names of models as Ollama writes them: `[scheme://][host/][namespace/]model[:tag]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}\Z")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]{0,349}\Z")


class InvalidName(ValueError):
    """A text that names no model."""


@dataclass(frozen=True)
class ModelName:
    """A complete name; two names are the same model exactly if host, namespace, model and tag are."""

    host: str
    namespace: str
    model: str
    tag: str
    scheme: str = "https"

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """The name with Ollama's defaults filled in; `InvalidName` for anything else."""
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "https", text
        path, separator, tag = rest.rpartition(":")
        if not separator or "/" in tag:  # the colon belongs to host:port
            path, tag = rest, DEFAULT_TAG
        parts = path.split("/")
        defaults = [DEFAULT_HOST, DEFAULT_NAMESPACE]
        if len(parts) > 3:
            raise InvalidName(text)
        host, namespace, model = defaults[: 3 - len(parts)] + parts
        if not (_HOST.match(host) and all(_PART.match(part) for part in (namespace, model, tag))):
            raise InvalidName(text)
        return cls(host, namespace, model, tag, scheme)

    @property
    def shortest(self) -> str:
        """How Ollama shows it: without the default host and namespace."""
        name = f"{self.model}:{self.tag}"
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{name}"
        if self.namespace != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{name}"
        return name

    @property
    def full(self) -> str:
        """The name with every part."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def path(self) -> str:
        """Where its manifest lies below the store's `manifests/`."""
        return f"{self.host}/{self.namespace}/{self.model}/{self.tag}"
