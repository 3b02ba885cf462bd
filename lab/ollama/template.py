"""Prompt templates: the plain kind of Ollama's, rendered turn by turn.

Of Go's template language only `{{ .System }}`, `{{ .Prompt }}`, `{{ .Response }}` and
`{{ if .NAME }}…{{ end }}` without nesting: what models without a chat format of their own use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_IF = re.compile(r"\{\{-?\s*if\s+\.(\w+)\s*-?\}\}(.*?)\{\{-?\s*end\s*-?\}\}", re.DOTALL)
_VALUE = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}")
_RESPONSE = re.compile(r"\{\{-?\s*\.Response\s*-?\}\}")

DEFAULT = "{{ .Prompt }}"


def render(template: str, values: Mapping[str, str]) -> str:
    """The template with its values; a name without a value is empty."""
    text = _IF.sub(lambda match: match[2] if values.get(match[1]) else "", template)
    return _VALUE.sub(lambda match: values.get(match[1], ""), text)


def prompt(template: str, system: str, user: str) -> str:
    """One turn, up to where the model's answer begins."""
    return render(_RESPONSE.split(template)[0], {"System": system, "Prompt": user})


def content(message: Mapping[str, Any]) -> str:
    """The text of a message: a string, or OpenAI's list of parts."""
    body = message.get("content") or ""
    if isinstance(body, str):
        return body
    return "".join(str(part.get("text", "")) for part in body if part.get("type") == "text")


def conversation(template: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation up to where the model's next answer begins."""
    turns: list[str] = []
    system: list[str] = []
    user: list[str] = []
    for message in messages:
        role, text = message.get("role"), content(message)
        if role in ("system", "developer"):
            system.append(text)
        elif role == "assistant":
            values = {"System": _join(system), "Prompt": _join(user), "Response": text}
            turns.append(render(template, values))
            system, user = [], []
        else:  # user, and the answers of tools
            user.append(text)
    return "".join(turns) + prompt(template, _join(system), _join(user))


def _join(texts: Sequence[str]) -> str:
    return "\n\n".join(text for text in texts if text)
