"""The checks of model servers beside Ollama: one answers a chat, or is ready for one within Venom."""

from __future__ import annotations

from roles.verification.acceptance import Check
from roles.verification.access import Access
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


def onnx(plan: HostPlan, access: Access) -> list[Check]:
    """Venom finds ONNX and its model ready; no check where there is none.

    Its chats would need the active server to be switched, which an acceptance does not do.
    """
    if plan.onnx is None:
        return []
    path = plan.onnx.tree.path

    def try_it() -> str:
        servers = access.get("/api/v1/system/llm-servers").json()["servers"]
        found = next((it for it in servers if it["name"] == "onnx"), None)
        if found is None:
            raise NotSo("Venom does not name it")
        state = found["onnx"]
        provider, where = state["execution_provider"], str(state["resolved_model_path"])
        if not state["ready"] or not f"{where}/".startswith(f"{path}/"):
            raise NotSo(f"{found.get('error_message') or 'ready'}: {where}, on {provider}")
        if not state["requested_provider_available"]:
            raise NotSo(
                f"no {provider}; there is {', '.join(state['available_execution_providers']) or 'none'}"
            )
        return f"{where}, on {provider}"

    title = "ONNX is ready (GET /api/v1/system/llm-servers)"
    return [attempt("onnx.ready", title, f"{path}, on {plan.onnx.provider}", try_it)]
