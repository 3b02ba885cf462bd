"""Which packages a source imports: uses by name of import become uses by package of the index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from audit.graph import Reach, Step, Use
from audit.when import When
from schemas.data.dependencies import Matrix

Naming = Callable[[str], str | None]  # name of import → package


@dataclass(frozen=True)
class Row:
    """One package: how a start comes to it, and every place that uses it."""

    package: str
    modules: tuple[str, ...]  # the names under which it is imported
    uses: tuple[Use, ...]  # the most certain first
    way: tuple[Step, ...]  # to the first of them
    note: str = ""  # why it is needed although nothing imports it

    @property
    def when(self) -> When:
        """When the most certain way to it is gone."""
        return self.uses[0].when if self.uses else When.START

    @property
    def critical(self) -> bool:
        """Whether a start fails without it."""
        return self.when == When.START


def rows(reach: Reach, matrix: Matrix, naming: Naming = lambda _: None) -> list[Row]:
    """A row a package, from those that every start needs on.

    `naming` is asked first (what an environment says of itself), then the matrix; a name that neither
    knows is taken for that of its package, as most are.
    """
    by_package: dict[str, list[Use]] = defaultdict(list)
    for use in reach.uses:
        found = naming(use.name) or matrix.distribution(use.name) or use.name.split(".")[0]
        by_package[canonicalize_name(found)].append(use)
    for use, needs in _implied(reach.uses, matrix):
        by_package[needs].append(use)
    made = [_row(name, uses, reach) for name, uses in by_package.items()]
    made += [
        Row(name, (), (), (), "imported by the command that starts the backend")
        for name in matrix.started_with
        if name not in by_package
    ]
    return sorted(made, key=lambda it: (it.when, it.package))


def _row(package: str, uses: Sequence[Use], reach: Reach) -> Row:
    ordered = tuple(sorted(uses, key=lambda it: (it.when, len(reach.way(it)), it.at.path, it.at.line)))
    names = tuple(dict.fromkeys(it.name for it in ordered))
    return Row(package, names, ordered, tuple(reach.way(ordered[0])))


def _implied(uses: Sequence[Use], matrix: Matrix) -> Iterator[tuple[Use, str]]:
    for use in uses:
        for rule in matrix.implied:
            if use.name == rule.module and rule.names & set(use.names):
                yield use, rule.needs


def installed(files: dict[str, list[str]]) -> Naming:
    """Naming by what an environment has: package → its files, as importlib.metadata lists them.

    Goes by the modules' files and not by the top name alone, which a dozen packages may share (google).
    """
    known: dict[str, set[str]] = defaultdict(set)
    for package, paths in files.items():
        for path in paths:
            folders, _, file = path.rpartition("/")
            if file.endswith((".py", ".so")) and ".." not in path:
                stem = file.split(".")[0]
                parts = [*folders.split("/")] if folders else []
                known[".".join(parts if stem == "__init__" else [*parts, stem])].add(package)

    def package_of(module: str) -> str | None:
        parts = module.split(".")
        for n in range(len(parts), 0, -1):
            # A name that several bring stands for none of them.
            if len(found := known.get(".".join(parts[:n]), ())) == 1:
                return next(iter(found))
        below = {p for name, ps in known.items() if name.startswith(f"{module}.") for p in ps}
        return below.pop() if len(below) == 1 else None

    return package_of
