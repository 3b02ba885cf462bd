"""From one module to all that it imports: which modules of the source run, when, and by which way.

The rules are the interpreter's (Python's language reference, "The import system"):

- `import a.b.c` runs `a`, `a.b` and `a.b.c`; each runs once.
- `from a import b` runs `a`; where that leaves no name `b`, the submodule `a.b`.
- a star takes what `__all__` lists, submodules included.
- a package's `__getattr__` is asked for the names that it has not; where it is written as a table from
  names to modules, the way goes on through that module.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from audit.statements import Statement, Text, parse
from audit.tree import SourceError, Tree
from audit.when import When


@dataclass(frozen=True)
class Step:
    """One import on a way: `module` (at `path`:`line`) imports what follows."""

    module: str
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Use:
    """A place that imports something from outside the source."""

    name: str  # dotted, as far as it is sure to be a module: "google.genai"
    when: When  # of the whole way from the entry point
    here: When  # of the statement itself
    at: Step
    how: str
    names: tuple[str, ...] = ()  # what a `from` takes of it


@dataclass(frozen=True)
class Reach:
    """All that the entry point reaches."""

    entry: str
    modules: dict[str, When]  # of the source
    uses: tuple[Use, ...]
    lacking: tuple[Use, ...]  # modules of the source that are imported and do not exist
    unread: tuple[str, ...]  # paths of files that are not whole Python
    _came: dict[str, Step]

    def way(self, use: Use) -> list[Step]:
        """The chain of imports from the entry point to the place of use."""
        steps = [use.at]
        while (step := self._came.get(steps[-1].module)) is not None:
            steps.append(step)
        return steps[::-1]


def reach(tree: Tree, entry: str, known: Collection[str] = ()) -> Reach:
    """What importing `entry` runs and may run. `known`: names of packages that strings may mean."""
    if entry not in tree.modules:
        raise SourceError(
            f"the module {entry} in {tree.name}",
            ", ".join(sorted({name.split(".")[0] for name in tree.modules})[:10]) or "no Python",
            "name the folder that has venom_core/",
        )
    return _Search(tree, frozenset(known)).run(entry)


def is_stdlib(module: str) -> bool:
    """Whether Python itself brings the module."""
    return module.split(".", maxsplit=1)[0] in sys.stdlib_module_names


class _Search:
    def __init__(self, tree: Tree, known: frozenset[str]) -> None:
        self._tree = tree
        self._known = known
        self._texts: dict[str, Text] = {}
        self._tops = {
            name.split(".")[0]
            for name in tree.modules
            # A package beside it in site-packages hides a folder without __init__.py.
            if name.split(".")[0] in tree.modules or name.split(".")[0] not in known
        }

    def run(self, entry: str) -> Reach:
        """The most certain way to each module, and of these the shortest."""
        done: dict[str, When] = {}
        came: dict[str, Step] = {}
        uses: list[Use] = []
        lacking: list[Use] = []
        order = itertools.count()
        waiting: list[tuple[When, int, int, str, Step | None]] = [(When.START, 0, next(order), entry, None)]
        while waiting:
            when, hops, _, module, step = heapq.heappop(waiting)
            if module in done:
                continue
            done[module] = when
            if step is not None:
                came[module] = step
            for target, statement in self._targets(module):
                at = Step(module, self._tree.modules.get(module, ""), statement.line)
                then = max(when, statement.when)
                if target in self._tree.modules or target in self._tree.folders:
                    if then < When.LOOKED_FOR and target not in done:
                        heapq.heappush(waiting, (then, hops + 1, next(order), target, at))
                    continue
                use = Use(target, then, statement.when, at, statement.how, statement.names)
                (lacking if target.split(".")[0] in self._tops else uses).append(use)
        return Reach(
            entry=entry,
            modules={name: when for name, when in done.items() if name in self._tree.modules},
            uses=tuple(sorted(uses, key=lambda it: (it.when, it.name, it.at.path, it.at.line))),
            lacking=tuple(it for it in lacking if it.when <= When.LAZY),
            unread=tuple(self._tree.modules[name] for name, text in self._texts.items() if not text.whole),
            _came=came,
        )

    def _text(self, module: str) -> Text:
        if module not in self._texts:
            path = self._tree.modules.get(module)
            package = self._tree.is_package(module)
            # A package without __init__.py has no text.
            self._texts[module] = parse(self._tree.files[path], package=package) if path else Text(())
        return self._texts[module]

    def _targets(self, module: str) -> Iterator[tuple[str, Statement]]:
        """Each module that the text of `module` imports, in or outside the source."""
        if "." in module:
            # Before a module its package runs.
            yield module.rpartition(".")[0], Statement("", 0, (), 1, When.START)
        for statement in self._text(module).statements:
            base = self._absolute(module, statement)
            if base is None:
                continue
            top = base.split(".")[0]
            if statement.how == "string":
                yield from ((target, statement) for target in self._from_string(base, top))
            elif top in self._tops:
                yield from ((target, statement) for target in self._ours(base, statement))
            elif not is_stdlib(top):
                yield from ((target, statement) for target in self._outside(base, statement))

    def _absolute(self, module: str, statement: Statement) -> str | None:
        if not statement.level:
            return statement.module or None
        parts = module.split(".")
        if not self._tree.is_package(module):
            parts = parts[:-1]
        parts = parts[: len(parts) - statement.level + 1]
        return ".".join([*parts, statement.module] if statement.module else parts) or None

    def _ours(self, base: str, statement: Statement) -> Iterator[str]:
        parts = base.split(".")
        yield from (".".join(parts[: n + 1]) for n in range(len(parts)))
        if not self._tree.is_package(base):
            return
        text = self._text(base)
        names = text.exported if statement.names == ("*",) else statement.names
        for name in names:
            submodule = f"{base}.{name}"
            if self._binds(base, name):
                continue
            if submodule in self._tree.modules or submodule in self._tree.folders:
                yield submodule
            elif text.lazy and name in text.lazy and (target := self._longest(base, text.lazy[name])):
                yield target

    def _binds(self, package: str, name: str) -> bool:
        """Whether the package has a `name` of its own, which hides a submodule of that name."""
        text = self._text(package)
        return name in text.bound or any(
            name == bound and (it, self._absolute(package, statement)) != (name, package)
            for statement in text.statements
            if statement.when <= When.GUARDED
            for it, bound in zip(statement.names, statement.bound, strict=False)
        )

    def _outside(self, base: str, statement: Statement) -> Iterator[str]:
        """`from google import genai` may mean a module: where it is known as one, it is taken for it."""
        candidates = [f"{base}.{name}" for name in statement.names]
        modules = [name for name in candidates if name in self._known]
        yield from modules or [base]

    def _from_string(self, text: str, top: str) -> Iterator[str]:
        """The module that a string names: one of the source, or a package that is known."""
        if top in self._tops and "." in text and (target := self._longest("", text)):
            yield target
        elif text in self._known:
            yield text

    def _longest(self, base: str, text: str) -> str | None:
        """The longest beginning of a dotted text that is a module ("package.module.Name")."""
        dotted = text.partition(":")[0]
        parts = (f"{base}{dotted}" if dotted.startswith(".") else dotted).split(".")
        for n in range(len(parts), 0, -1):
            if (name := ".".join(parts[:n])) in self._tree.modules:
                return name
        return None
