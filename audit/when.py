"""When an import runs: the scale on which the ways to a package are compared."""

from __future__ import annotations

from enum import IntEnum


class When(IntEnum):
    """From what every start needs to what never runs. A way is as certain as its least certain step."""

    START = 0  # at import, and its failing ends the start
    CONDITIONAL = 1  # at import, if an `if`, an `else` of a `try` or an `except` is taken
    GUARDED = 2  # at import, and its failing is caught
    LAZY = 3  # when a function is called
    DYNAMIC = 4  # by a name that only the running program knows
    LOOKED_FOR = 5  # `find_spec`: asked for, not imported
    NEVER = 6  # under TYPE_CHECKING, or `__name__ == "__main__"`

    @property
    def label(self) -> str:
        """The word of tables and JSON."""
        return _LABELS[self]


_LABELS = {
    When.START: "start-up",
    When.CONDITIONAL: "conditional",
    When.GUARDED: "guarded",
    When.LAZY: "lazy",
    When.DYNAMIC: "dynamic",
    When.LOOKED_FOR: "looked for",
    When.NEVER: "never",
}
