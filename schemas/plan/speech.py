"""Speech in a plan: its models, where in their trees they lie, and the memory that they take. Pure."""

from __future__ import annotations

from schemas.declared.host import DeclaredHost
from schemas.model import Speech, Tree
from schemas.plan.tree import tree_of

_CPU = "cpu"
_BOTH = ("stt", "tts")


def plan_speech(declared: DeclaredHost) -> Speech | None:
    """Speech to text and from text; None where neither is asked for."""
    stt, tts = (tree_of(declared, declared.engines[it]) if it in declared.engines else None for it in _BOTH)
    trees = [it for it in (stt, tts) if it]
    if not trees:
        return None
    settings = {"ENABLE_AUDIO_INTERFACE": "true", "AUDIO_DEVICE": _CPU}
    if stt:
        settings["WHISPER_MODEL_SIZE"] = _place(stt, "model.bin").rpartition("/")[0]
    if tts:
        settings["TTS_MODEL_PATH"] = _place(tts, ".onnx")
    # As they come off the disk: neither keeps more of a model than that.
    memory = sum(it.size for it in trees)
    return Speech(stt, tts, settings, memory, declared.secrets.get("HF_TOKEN"))


def _place(tree: Tree, end: str) -> str:
    """Where on the host the tree's one file lies whose name ends so."""
    return next(f"{tree.path}/{it.path}" for it in tree.files if f"/{it.path}".endswith(end))
