"""The import statements of one module's text, each with the circumstances under which it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from audit.context import when_runs
from audit.when import When

_LANGUAGE = Language(tree_sitter_python.language())
_DYNAMIC = re.compile(rb"import_module|__import__|find_spec")
_DOTTED = re.compile(r"\.*[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?\Z")


@dataclass(frozen=True)
class Statement:
    """One thing that a module imports. `names` are what a `from` takes: none for a plain `import`."""

    module: str  # absolute, or relative to the package that `level` leads up to
    level: int  # leading dots
    names: tuple[str, ...]  # ("*",) for a star
    line: int  # 1-based
    when: When
    how: str = "import"  # import, import_module, find_spec, string
    bound: tuple[str, ...] = ()  # what `names` are called here


@dataclass(frozen=True)
class Text:
    """What matters of a module's text."""

    statements: tuple[Statement, ...]
    bound: frozenset[str] = frozenset()  # names that exist in it once it has run, but for those of `from`
    exported: tuple[str, ...] = ()  # its `__all__`, as far as it is written down
    lazy: Mapping[str, str] | None = None  # with a `__getattr__`: name → string that may name a module
    whole: bool = True  # False: not all of it could be read as Python


def parse(text: bytes, *, package: bool) -> Text:
    """Read one module. What it binds is read for a `package` only: nobody else has submodules."""
    root = _parser().parse(text).root_node
    found = [*_statements(root)]
    if _DYNAMIC.search(text):
        found += _calls(root)
    whole = not root.has_error
    if not package:
        return Text(tuple(found), whole=whole)
    bound = frozenset(_bound(root))
    return Text(
        tuple(found),
        bound=bound,
        exported=tuple(_exported(root)),
        lazy=_table(root) if "__getattr__" in bound else None,
        whole=whole,
    )


@cache
def _parser() -> Parser:
    return Parser(_LANGUAGE)


@cache
def _query(pattern: str) -> Query:
    return Query(_LANGUAGE, pattern)


def _captured(root: Node, pattern: str) -> list[Node]:
    captures = QueryCursor(_query(pattern)).captures(root)
    return sorted((node for nodes in captures.values() for node in nodes), key=lambda it: it.start_byte)


def _statements(root: Node) -> Iterator[Statement]:
    for node in _captured(root, "[(import_statement) (import_from_statement)] @it"):
        line, when = node.start_point.row + 1, when_runs(node)
        imported = node.children_by_field_name("name")
        names = [_plain(it) for it in imported]
        if node.type == "import_statement":
            yield from (Statement(name, 0, (), line, when) for name in names)
            continue
        if any(it.type == "wildcard_import" for it in node.named_children):
            names = ["*"]
        dotted = _source(node)
        module = dotted.lstrip(".")
        bound = tuple(_text(it.child_by_field_name("alias") or it) for it in imported)
        yield Statement(module, len(dotted) - len(module), tuple(names), line, when, bound=bound)


def _calls(root: Node) -> Iterator[Statement]:
    """Imports by call. Where one gets a name from a variable, every string of the module may be it."""
    unknown = None
    for node in _captured(root, "(call) @it"):
        function = node.child_by_field_name("function")
        name = _text(function).rsplit(".", 1)[-1] if function else ""
        # Wrappers and parameters bear the name of what they stand for: _safe_find_spec, import_module_fn.
        looks = "find_spec" in name
        if not (looks or "import_module" in name or name == "__import__"):
            continue
        arguments = node.child_by_field_name("arguments")
        first = arguments.named_children[0] if arguments and arguments.named_children else None
        literal = _string(first) if first else None
        if literal is None:
            unknown = unknown if looks else unknown or node
            continue
        module = literal.lstrip(".")
        when = When.LOOKED_FOR if looks else when_runs(node)
        how = "find_spec" if looks else "import_module"
        yield Statement(module, len(literal) - len(module), (), node.start_point.row + 1, when, how)
    if unknown is None:
        return
    for node in _captured(root, "(string) @it"):
        literal = _string(node)
        if literal and _DOTTED.match(literal):
            module = literal.lstrip(".")
            level = len(literal) - len(module)
            yield Statement(module, level, (), node.start_point.row + 1, When.DYNAMIC, "string")


def _bound(block: Node) -> Iterator[str]:
    """Names that the top level binds, whatever `if` or `try` they stand in. For `from`: see Statement."""
    for node in block.named_children:
        match node.type:
            case "function_definition" | "class_definition":
                yield _name(node)
            case "decorated_definition":
                yield _name(node.child_by_field_name("definition"))
            case "import_statement":
                for it in node.children_by_field_name("name"):
                    alias = it.child_by_field_name("alias")
                    yield _text(alias) if alias else _plain(it).split(".")[0]
            case "expression_statement":
                for it in node.named_children:
                    left = it.child_by_field_name("left") if it.type == "assignment" else None
                    yield from (_text(n) for n in _identifiers(left))
            case _:
                yield from _bound(node)


def _identifiers(node: Node | None) -> Iterator[Node]:
    if node is None:
        return
    if node.type == "identifier":
        yield node
    elif node.type in ("pattern_list", "tuple_pattern", "list_pattern"):
        for it in node.named_children:
            yield from _identifiers(it)


def _exported(root: Node) -> Iterator[str]:
    pattern = "[(assignment left: (identifier) @n) (augmented_assignment left: (identifier) @n)]"
    for node in _captured(root, pattern):
        if _text(node) == "__all__" and node.parent is not None:
            yield from (text for it in _captured(node.parent, "(string) @it") if (text := _string(it)))


def _table(root: Node) -> dict[str, str]:
    """The mappings of strings to strings: by them a `__getattr__` knows where a name comes from."""
    table = {}
    for pair in _captured(root, "(pair key: (string)) @it"):
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        strings = _captured(value, "(string) @it") if value else []
        name, target = _string(key) if key else None, _string(strings[0]) if strings else None
        if name and target:
            table[name] = target
    return table


def _string(node: Node) -> str | None:
    """The text of a string that says the same every time, or None."""
    parts = node.named_children if node.type == "concatenated_string" else [node]
    if any(part.type != "string" for part in parts):
        return None
    pieces = [piece for part in parts for piece in part.named_children]
    if any(piece.type == "interpolation" for piece in pieces):
        return None
    return "".join(_text(piece) for piece in pieces if piece.type == "string_content")


def _name(node: Node | None) -> str:
    name = node.child_by_field_name("name") if node else None
    return _text(name) if name else ""


def _source(node: Node) -> str:
    """What stands after `from`."""
    module = node.child_by_field_name("module_name")
    return _text(module).replace(" ", "") if module else ""


def _plain(node: Node) -> str:
    """The name in `name` or `name as alias`."""
    inner = node.child_by_field_name("name") if node.type == "aliased_import" else node
    return _text(inner or node).replace(" ", "")


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
