"""The playbook that script/bench compares with keeps all that it has to keep."""

from __future__ import annotations

import re

from lab.state import REPOSITORY

_BENCH = REPOSITORY / "lab" / "bench"


def test_the_playbook_uses_every_variable_that_is_made_of_the_declared_state() -> None:
    # That every kind of resource becomes a variable is what `assert_never` in lab/bench/state.py is for.
    made = set(re.findall(r'"(venom_[a-z]+)"', (_BENCH / "state.py").read_text(encoding="utf-8")))
    playbook = "".join(path.read_text(encoding="utf-8") for path in (_BENCH / "ansible").rglob("*.yml"))
    assert made
    assert {name for name in made if not re.search(rf"\b{name}\b", playbook)} == set()
