"""The server's settings, read from the environment by Ollama's own rules.

Empty means unset. Of a boolean, whatever is no known false word is true. Durations are Go's ("5m",
"1h30m") or a number of seconds; a negative one means for ever.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOREVER = float("inf")
DEFAULT_CONTEXT = 4096  # of a machine without a graphics card

_FALSE = {"0", "f", "F", "false", "FALSE", "False"}
_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|us|µs|ns|h|m|s)")


class NoHome(Exception):
    """HOME is not set: the real server ends with this text too."""


def seconds(value: Any, default: float) -> float:
    """A duration in seconds: a number, digits, or Go's notation; `default` if it is none of these."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return FOREVER if value < 0 else float(value)
    text = str(value if value is not None else "").strip()
    sign, body = ("-", text[1:]) if text.startswith("-") else ("", text)
    try:
        total = float(body)
    except ValueError:
        parts = _DURATION.findall(body)
        if not parts or "".join(number + unit for number, unit in parts) != body:
            return default
        total = sum(float(number) * _UNIT[unit] for number, unit in parts)
    return FOREVER if sign and total > 0 else total


def host_port(text: str) -> tuple[str, int]:
    """Address and port of OLLAMA_HOST; `http://x` without a port means port 80."""
    scheme, separator, rest = text.strip().strip("\"'").partition("://")
    if not separator:
        scheme, rest = "", scheme
    default = {"http": 80, "https": 443}.get(scheme, 11434)
    rest = rest.split("/", 1)[0]
    host, separator, port = rest.rpartition(":")
    if not separator or rest.endswith("]") or (rest.count(":") > 1 and not rest.startswith("[")):
        host, port = rest, ""
    number = int(port) if port.isdigit() and int(port) < 65536 else default
    return host.strip("[]") or ("127.0.0.1" if not separator else "0.0.0.0"), number


@dataclass(frozen=True)
class Settings:
    """What the environment says, resolved."""

    host: str
    port: int
    models: Path
    home: Path | None
    context_length: int  # 0: by the hardware
    num_parallel: int
    max_queue: int
    keep_alive: float  # seconds
    load_timeout: float  # seconds
    flash_attention: bool
    kv_cache_type: str  # f16, q8_0, q4_0
    no_prune: bool
    no_cloud: bool
    warnings: tuple[tuple[str, str], ...] = ()  # of values that mean nothing: message, its fields in the log

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings of this environment; the process's own by default."""
        given = {key: value.strip() for key, value in (environ or os.environ).items()}

        warnings: list[tuple[str, str]] = []

        def number(name: str, default: int) -> int:
            text = given.get(name, "")
            if text and not text.isdigit():
                fields = f"key={name} value={text} default={default}"
                warnings.append(("invalid environment variable, using default", fields))
            return int(text) if text.isdigit() else default

        def flag(name: str) -> bool:
            return given.get(name, "") not in _FALSE | {""}

        host, port = host_port(given.get("OLLAMA_HOST", ""))
        home = Path(given["HOME"]) if given.get("HOME") else None
        models = given.get("OLLAMA_MODELS")
        if not models and home is None:
            raise NoHome("$HOME is not defined")
        # Up to 0.24 another value warns and means f16. A quantised cache needs flash attention.
        flash_attention = given.get("OLLAMA_FLASH_ATTENTION", "") not in _FALSE
        kv_cache_type = given.get("OLLAMA_KV_CACHE_TYPE", "").lower() if flash_attention else "f16"
        if kv_cache_type not in ("", "f16", "q8_0", "q4_0"):
            warnings.append(("kv cache type not supported by model", f"type={kv_cache_type}"))
        return cls(
            host=host,
            port=port,
            models=Path(models) if models else (home or Path()) / ".ollama" / "models",
            home=home,
            context_length=number("OLLAMA_CONTEXT_LENGTH", 0),
            num_parallel=number("OLLAMA_NUM_PARALLEL", 1) or 1,
            max_queue=number("OLLAMA_MAX_QUEUE", 512),
            keep_alive=seconds(given.get("OLLAMA_KEEP_ALIVE") or None, 300.0),
            load_timeout=seconds(given.get("OLLAMA_LOAD_TIMEOUT") or None, 300.0),
            flash_attention=flash_attention,
            kv_cache_type=kv_cache_type if kv_cache_type in ("q8_0", "q4_0") else "f16",
            no_prune=flag("OLLAMA_NOPRUNE"),
            no_cloud=flag("OLLAMA_NO_CLOUD"),
            warnings=tuple(warnings),
        )
