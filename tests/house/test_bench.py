"""script/bench: its playbook keeps all that it has to keep, and it plans a fleet without a host."""

from __future__ import annotations

import re
import subprocess
import sys

from lab.bench.planning import planning
from lab.state import REPOSITORY

_BENCH = REPOSITORY / "lab" / "bench"


def test_the_playbook_uses_every_variable_that_is_made_of_the_declared_state() -> None:
    # That every kind of resource becomes a variable is what `assert_never` in lab/bench/state.py is for.
    made = set(re.findall(r'"(venom_[a-z]+)"', (_BENCH / "state.py").read_text(encoding="utf-8")))
    playbook = "".join(path.read_text(encoding="utf-8") for path in (_BENCH / "ansible").rglob("*.yml"))
    assert made
    assert {name for name in made if not re.search(rf"\b{name}\b", playbook)} == set()


def test_a_fleet_is_planned_and_its_source_packed_without_a_host() -> None:
    taken = planning(7)
    assert taken.hosts == 7
    assert taken.validated > 0
    assert taken.planned > 0
    assert taken.peak > 10


def test_the_figures_of_planned_fleets_are_tables_in_both_languages() -> None:
    line = [sys.executable, "-m", "lab.bench", "--planning", "1", "3"]
    printed = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for row in (r"\| 3 \| \d+\.\d\d \| \d+\.\d\d \| \d+ \|", r"\| 3 \| \d+,\d\d \| \d+,\d\d \| \d+ \|"):
        assert re.search(row, printed)
