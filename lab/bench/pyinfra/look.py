"""What pyinfra itself costs: start, connect, one fact that looks at everything. Run by script/bench."""

import os
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.context import host


class Look(FactBase[str]):
    """The state of everything that is managed, asked by the product's own script."""

    def command(self) -> StringCommand:
        """The product's command, with the question on its standard input."""
        look, question = (Path(os.environ[name]).read_text() for name in ("LOOK", "QUESTION"))
        return StringCommand("printf", "%s", QuoteString(question), "|", look)


if not host.get_fact(Look):
    raise ValueError("the host did not answer")
