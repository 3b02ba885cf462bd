"""Rendering the files that a role puts on a host; a name that the slice lacks is an error, not a blank."""

from __future__ import annotations

import hashlib
import shlex
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from engine.controller import cache_directory
from engine.refusal import RefusedError

_SHARED = Path(__file__).parent / "templates"


def render(role: str, name: str, /, **values: Any) -> str:
    """The text of `<role>/templates/<name>` with `values` filled in.

    `role` is the `__file__` of the module that asks, so templates are found wherever the run starts.
    What several roles include lies in `engine/templates`.
    The filter `sh` quotes a value for a shell, `unit` for a systemd unit.
    """
    return _environment(Path(role).parent / "templates").get_template(name).render(**values)


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([folder, _SHARED]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        auto_reload=False,
        bytecode_cache=_compiled(),
    )
    environment.filters["sh"] = shlex.quote
    environment.filters["unit"] = unit_quote
    return environment


class _Compiled(FileSystemBytecodeCache):
    """Keeps what it can."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


@cache
def _compiled() -> _Compiled | None:
    """Templates as the runs before compiled them, which takes longer than all else that a plan needs.

    Jinja compares a template's text itself. The rest of the key is what else decides about the code: the
    options, which this file has, and Jinja.
    """
    recipe = f"{Path(__file__).read_text(encoding='utf-8')}\0{version('jinja2')}"
    key = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    try:
        return _Compiled(str(cache_directory("templates")), f"{key}-%s.cache")
    except RefusedError:
        return None


def unit_quote(value: object) -> str:
    """A value as systemd reads it inside double quotes: `%` is a specifier, `$` is left alone there.

    Source: systemd.exec(5), Environment=, and systemd.syntax(7).
    """
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
