"""Rendering the files that a role puts on a host; a name that the slice lacks is an error, not a blank."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


def render(role: str, name: str, /, **values: Any) -> str:
    """The text of `<role>/templates/<name>` with `values` filled in.

    `role` is the `__file__` of the module that asks, so templates are found wherever the run starts.
    What several roles include lies in `engine/templates`.
    The filter `sh` quotes a value for a shell, `unit` for a systemd unit.
    """
    return _template(Path(role).parent / "templates" / name).render(**values)


@cache
def _template(path: Path) -> Template:
    return _environment().from_string(path.read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["sh"] = shlex.quote
    environment.filters["unit"] = unit_quote
    return environment


def unit_quote(value: object) -> str:
    """A value as systemd reads it inside double quotes: `%` is a specifier, `$` is left alone there.

    Source: systemd.exec(5), Environment=, and systemd.syntax(7).
    """
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
