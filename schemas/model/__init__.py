"""The plan of a host as typed data. `HostPlan` is the whole, the rest its parts."""

from schemas.model.access import Door, OllamaClients, Secret, Ssh
from schemas.model.fetched import (
    Artifact,
    Image,
    Mirrors,
    Package,
    Peer,
    Proxy,
    Pull,
    Puller,
    ServedStore,
    Store,
    Tree,
    TreeFile,
)
from schemas.model.models import MemoryNeed, Model, Ollama, Onnx, Speech, Vllm, VramTier
from schemas.model.plan import Backup, HostPlan, Metrics
from schemas.model.venom import Backend, Development, Node, Python, Requirements, Source, Ui, VenomImages

__all__ = [
    "Artifact",
    "Backend",
    "Backup",
    "Development",
    "Door",
    "HostPlan",
    "Image",
    "MemoryNeed",
    "Metrics",
    "Mirrors",
    "Model",
    "Node",
    "Ollama",
    "OllamaClients",
    "Onnx",
    "Package",
    "Peer",
    "Proxy",
    "Pull",
    "Puller",
    "Python",
    "Requirements",
    "Secret",
    "ServedStore",
    "Source",
    "Speech",
    "Ssh",
    "Store",
    "Tree",
    "TreeFile",
    "Ui",
    "VenomImages",
    "Vllm",
    "VramTier",
]
