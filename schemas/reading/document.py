"""Reads one YAML file into plain data, with the line of every value and none of YAML's surprises.

PyYAML's own loader forgets the lines, lets the last of two equal keys win, and turns `22:22` into
1342, `010` into 8 and `2026-01-01` into a date. Here a file becomes mappings, lists, strings, numbers
and booleans only; whatever else is in it, and whatever cannot be read, becomes a `Problem`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from schemas.reading.problem import Problem

Keys = tuple[str | int, ...]  # the way to a value: mapping keys and list indices

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]{0,18})\Z")
_FLOAT = re.compile(r"[-+]?[0-9][0-9_]{0,30}(\.[0-9_]{0,30})?([eE][-+]?[0-9]{1,3})?\Z")
_LOGIN = re.compile(r"//[^/\s]*@")  # user and password of a URL: never shown
_MOST_NODES = 100_000  # an inventory has thousands; more is an alias that multiplies itself
_LARGEST = 4 * 1024 * 1024  # bytes of one file
_OURS = Path(__file__).parents[1]  # ours are well formed
# libyaml: ten times faster. But nested deep enough it ends the process, and its messages say less.
_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Document:
    """A file as data. `data` is None where nothing could be read; then `problems` says why."""

    path: Path
    name: str  # the file as the operator named it: what messages show
    data: Any = None
    lines: dict[Keys, int] = field(default_factory=dict)  # of a value (for a mapping's: its key)
    raw: dict[Keys, str] = field(default_factory=dict)  # scalars as they were written
    problems: list[Problem] = field(default_factory=list)

    def line(self, keys: Keys) -> int:
        """The line of the value at `keys`, or of the closest thing around it that has one."""
        for length in range(len(keys), -1, -1):
            if keys[:length] in self.lines:
                return self.lines[keys[:length]]
        return 1 if self.data is not None else 0

    def problem(self, keys: Keys, found: str, allowed: str, hint: str = "") -> Problem:
        """A problem with the value at `keys`."""
        return Problem(self.name, self.line(keys), dotted(keys), found, allowed, hint)

    def written(self, keys: Keys) -> str:
        """The value at `keys` as the file has it, quoted where it is a string."""
        value = self.data
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return "nothing"
        return shown(value, self.raw.get(keys))


def dotted(keys: Keys) -> str:
    """`keys` as messages and documents write them: hosts.gpu1.mirrors.files[0]."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def shown(value: Any, raw: str | None = None) -> str:
    """A value as an operator recognises it, with the kind that YAML made of it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        text = raw or str(value).lower()
        return f"{text} (a boolean)"
    if isinstance(value, int | float):
        return f"{raw or value} (a number)"
    if isinstance(value, str):
        return f'"{_LOGIN.sub("//…@", value)}"'
    if isinstance(value, list):
        return "an empty list" if not value else f"a list of {len(value)}"
    return "an empty mapping" if not value else f"a mapping ({', '.join(map(str, value))})"


def read(path: Path, name: str | None = None) -> Document:
    """The file at `path`. Never raises for what the file holds: see `Document.problems`."""
    document = Document(path, name or str(path))
    text = _text(document)
    if text is None:
        return document
    try:
        node = _compose(document, text)
        if node is not None:
            document.data = _Builder(document).build(node, ())
    except yaml.YAMLError as error:
        document.problems.append(_syntax(document, error))
    except RecursionError:
        document.problems.append(Problem(document.name, 1, "", "values nested hundreds deep", "a few levels"))
    except (ValueError, OverflowError) as error:  # PyYAML on escapes such as "\UFFFFFFFF"
        document.problems.append(Problem(document.name, 1, "", str(error), "YAML"))
    if document.problems:
        return document
    if document.data is None:
        document.problems.append(Problem(document.name, 1, "", "an empty file", "a mapping, e.g. hosts: {…}"))
    elif not isinstance(document.data, dict):
        found = shown(document.data)
        document.problems.append(
            Problem(document.name, 1, "", found, "a mapping at the top, e.g. hosts: {…}")
        )
        document.data = None
    return document


def _text(document: Document) -> str | None:
    """The file's text, or None and a problem."""
    found, allowed, hint = "", "a YAML file that can be read", ""
    try:
        data = document.path.read_bytes() if document.path.is_file() else None
        if data is None:
            found = "no such file" if not document.path.exists() else "not a regular file"
        elif len(data) > _LARGEST:
            found, allowed = f"{len(data)} bytes", f"at most {_LARGEST} bytes"
        else:
            return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found, allowed = f"byte 0x{error.object[error.start]:02x} at {error.start}", "UTF-8 text"
        hint = "save the file as UTF-8"
    except (OSError, ValueError) as error:
        found = (error.strerror if isinstance(error, OSError) else None) or str(error)
    document.problems.append(Problem(document.name, 0, "", found, allowed, hint))
    return None


def flow(value: object) -> str:
    """A value as one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    return text.strip().removesuffix("...").strip()


def _compose(document: Document, text: str) -> yaml.Node | None:
    """The text's node tree. A file of two documents is refused."""
    loader = (_Fast if document.path.is_relative_to(_OURS) else yaml.SafeLoader)(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        return node
    finally:
        loader.dispose()


def _syntax(document: Document, error: yaml.YAMLError) -> Problem:
    """A YAML error in the operator's words."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else 1
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if "'\\t'" in what:
        return Problem(
            document.name, line, "", "a tab", "spaces for indentation", "replace the tab by spaces"
        )
    if "but found another document" in what:
        return Problem(document.name, line, "", "a second document (---)", "one document a file")
    hint = ""
    if "mapping values are not allowed" in what:
        hint = 'quote a value that contains ": ", and check the indentation'
    elif "expected <block end>" in what:
        hint = "check the indentation: keys of one level start in one column"
    elif "expected '<document start>'" in what:
        hint = "an inventory is YAML: hosts: {gpu1: {address: 192.0.2.11}}"
    elif "could not determine a constructor" in what or "undefined alias" in what:
        hint = "define the anchor (&name) before its use (*name)"
    return Problem(document.name, line, "", f"YAML that cannot be read: {what}", "YAML", hint)


class _Builder:
    """Turns nodes into data, noting lines and raw text, and what an inventory has no use for."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: set[int] = set()  # nodes that are being built: an alias to one is a loop
        self.nodes = 0

    def build(self, node: yaml.Node, keys: Keys, line: int | None = None) -> Any:
        self.nodes += 1
        self.document.lines[keys] = line or node.start_mark.line + 1
        if self.nodes > _MOST_NODES:
            if self.nodes == _MOST_NODES + 1:
                self._refuse(keys, f"more than {_MOST_NODES} values", "fewer: an alias multiplies")
            return None
        if id(node) in self.open:
            self._refuse(keys, "an alias inside its own anchor", "no loops", "write the value out")
            return None
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, keys)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, keys)
            return self._scalar(node, keys)
        finally:
            self.open.discard(id(node))

    def _refuse(self, keys: Keys, found: str, allowed: str, hint: str = "") -> None:
        document = self.document
        line = document.lines.get(keys, 1)
        document.problems.append(Problem(document.name, line, dotted(keys), found, allowed, hint))

    @staticmethod
    def _clean(text: str) -> bool:
        """Whether every file and program takes `text` for one line. Half a surrogate pair is no text."""
        return not any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text)

    def _tag(self, node: yaml.Node, keys: Keys, plain: str) -> bool:
        if node.tag == _TAG + plain:
            return True
        tag = node.tag.replace(_TAG, "!!")
        self._refuse(keys, f"the tag {tag}", "plain YAML without tags", "remove the tag")
        return False

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if not self._tag(node, keys, "map"):
            return result
        merged: list[yaml.Node] = []
        seen: dict[Hashable, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(keys, "a list or mapping as a key", "a name")
                continue
            if key_node.tag == _TAG + "merge":
                merged.append(value_node)
                continue
            key = str(key_node.value)
            if not self._clean(key):
                self._refuse(keys, "a control character in a key", "a name")
                continue
            if key in seen:
                found = f'"{key}" twice (first on line {seen[key]})'
                here = Problem(
                    self.document.name,
                    line,
                    dotted((*keys, key)),
                    found,
                    "each key once",
                    "remove one of the two",
                )
                self.document.problems.append(here)
                continue
            seen[key] = line
            result[key] = self.build(value_node, (*keys, key), line)
        for value_node in merged:
            self._merge(value_node, keys, result)
        return result

    def _merge(self, node: yaml.Node, keys: Keys, into: dict[str, Any]) -> None:
        """`<<: *anchor`: what the mapping itself has, wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self._refuse(keys, "<< of something else", "<< of a mapping (<<: *anchor)")
                continue
            known = dict(self.document.lines), dict(self.document.raw)
            data = self.build(source, keys)
            lines, raw = self.document.lines, self.document.raw
            self.document.lines, self.document.raw = lines | known[0], raw | known[1]
            for key, value in (data or {}).items():
                if key not in into:
                    into[key] = value

    def _sequence(self, node: yaml.SequenceNode, keys: Keys) -> list[Any]:
        if not self._tag(node, keys, "seq"):
            return []
        return [self.build(item, (*keys, i)) for i, item in enumerate(node.value)]

    def _scalar(self, node: yaml.Node, keys: Keys) -> Any:
        text = str(node.value)
        self.document.raw[keys] = text
        if not self._clean(text):
            hint = "put it on one line, without | or >"
            self._refuse(keys, "a line break or control character", "one line of text", hint)
            return None
        kind = node.tag.removeprefix(_TAG)
        value: Any = text
        if kind == "null":
            value = None
        elif kind == "bool" and text.lower() in yaml.SafeLoader.bool_values:
            value = yaml.SafeLoader.bool_values[text.lower()]
        elif kind == "int" and _INTEGER.match(text):
            value = int(text.replace("_", ""))
        elif kind == "float" and _FLOAT.match(text):
            number = float(text.replace("_", ""))
            value = number if math.isfinite(number) else text
        elif kind not in ("str", "int", "float", "timestamp", "value", "bool"):
            self._tag(node, keys, "str")
        return value
