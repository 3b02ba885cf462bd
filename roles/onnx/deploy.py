"""ONNX: the memory that its model takes in the backend's process, and which version computes there.

Its packages come with the backend's (the tier onnx-cpu), its model as a tree, its settings as the backend's:
there is no unit and no port. Absent, nothing of it is on the host.
"""

from __future__ import annotations

from engine import paths
from engine.component import Component
from schemas.model import HostPlan

# Of the environment that serves, whatever the plan says meanwhile.
_INSTALLED = f"{paths.CURRENT}/venv/lib/python3*/site-packages/onnxruntime_genai-*.dist-info"
VERSIONS = {
    "ONNX Runtime GenAI": (
        *("sh", "-c"),
        rf"ls -d {_INSTALLED} | sed 's/.*onnxruntime_genai-\(.*\)\.dist-info/\1/'",
    )
}


def component(plan: HostPlan) -> Component:
    """ONNX; absent where the plan has none."""
    if plan.onnx is None:
        return Component(name="onnx")
    return Component(name="onnx", memory=plan.onnx.memory, versions=VERSIONS, concerns=("onnx.",))
