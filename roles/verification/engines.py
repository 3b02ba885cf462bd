"""The checks of model servers beside Ollama: each answers a chat."""

from __future__ import annotations

from roles.verification.acceptance import Check
from roles.verification.attempt import NotSo, attempt
from roles.verification.inside import Inside
from schemas.model import HostPlan


def vllm(plan: HostPlan, answer: Inside) -> list[Check]:
    """vLLM answers with the plan's model; no check where there is none."""
    if plan.vllm is None:
        return []
    model = plan.vllm.tree.repository

    def try_it() -> str:
        chat = answer.vllm or {"words": "", "error": "it was not asked"}
        if not chat["words"].strip():
            raise NotSo(chat["error"] or "an empty answer")
        return f"{model}: {' '.join(chat['words'].split())[:120]}"

    return [attempt("vllm.chat", "A chat by vLLM", f"an answer of {model}", try_it)]
