"""Under which circumstances a statement runs, read from what stands around it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from audit.when import When

# What catches a module that is not there.
_CATCHES = re.compile(r"\b(ImportError|ModuleNotFoundError|Exception|BaseException)\b")
_ENDS = ("raise_statement",)
_EXIT = re.compile(r"(sys\.|os\.)?_?(exit|abort)\(")
_NEVER = re.compile(r"(typing\.)?TYPE_CHECKING|__name__ *== *['\"]__main__['\"]|False|0")
# The hosts are Linux.
_PLATFORM = re.compile(r"(sys\.platform|os\.name|platform\.system\(\)) *(==|!=) *['\"](\w+)['\"]")
_OURS = ("linux", "posix", "Linux")


def when_runs(node: Node) -> When:
    """When the code at `node` runs, as far as its own module says."""
    return max(_circumstances(node), default=When.START)


def _circumstances(node: Node) -> Iterator[When]:
    child, parent = node, node.parent
    while parent is not None:
        yield _under(parent, child)
        child, parent = parent, parent.parent


def _under(parent: Node, child: Node) -> When:
    match parent.type:
        case "function_definition" | "lambda":
            # Decorators and defaults run with the definition.
            return When.LAZY if child == parent.child_by_field_name("body") else When.START
        case "if_statement" | "elif_clause":
            return _under_if(parent, child)
        case "try_statement":
            return _under_try(parent, child)
        case "with_statement" if _is(parent, "body", child) and _suppresses(parent):
            return When.GUARDED
        case "case_clause" | "conditional_expression" | "boolean_operator":
            return When.CONDITIONAL
    return When.START


def _under_if(parent: Node, child: Node) -> When:
    decided = _decided(parent)
    if _is(parent, "consequence", child):
        taken = decided
    elif child.type in ("elif_clause", "else_clause"):
        taken = None if decided is None else not decided
    else:
        return When.START  # the condition itself
    return When.CONDITIONAL if taken is None else When.START if taken else When.NEVER


def _decided(statement: Node) -> bool | None:
    """What the condition comes to wherever Venom is started, or None."""
    condition = statement.child_by_field_name("condition")
    while condition is not None and condition.type == "parenthesized_expression":
        condition = condition.named_children[0]
    text = (condition.text or b"").decode("utf-8", "replace") if condition else ""
    negated = text.startswith("not ")
    text = text.removeprefix("not ").strip()
    if _NEVER.fullmatch(text):
        return negated
    if found := _PLATFORM.fullmatch(text):
        return ((found[2] == "==") == (found[3] in _OURS)) != negated
    return None


def _under_try(parent: Node, child: Node) -> When:
    if child.type == "except_clause":
        return When.CONDITIONAL
    absorbed = _absorbs(parent)
    if _is(parent, "body", child):
        return When.GUARDED if absorbed else When.START
    if child.type == "else_clause":
        return When.CONDITIONAL if absorbed else When.START
    return When.START


def _absorbs(statement: Node) -> bool:
    """Whether the first handler that catches a missing module lets the start go on."""
    for clause in statement.children:
        if clause.type != "except_clause":
            continue
        caught = clause.child_by_field_name("value")
        if caught is not None and not _CATCHES.search((caught.text or b"").decode("utf-8", "replace")):
            continue
        block = next((it for it in clause.named_children if it.type == "block"), None)
        return not any(_ends(it) for it in (block.named_children if block else ()))
    return False


def _ends(statement: Node) -> bool:
    text = (statement.text or b"").decode("utf-8", "replace")
    return statement.type in _ENDS or bool(_EXIT.match(text))


def _suppresses(statement: Node) -> bool:
    clause = next((it for it in statement.named_children if it.type == "with_clause"), None)
    text = (clause.text or b"").decode("utf-8", "replace") if clause else ""
    return "suppress(" in text and bool(_CATCHES.search(text))


def _is(parent: Node, field: str, child: Node) -> bool:
    return any(child == it for it in parent.children_by_field_name(field))
