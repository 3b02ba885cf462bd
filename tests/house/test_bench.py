"""script/bench: its playbook keeps all that it has to keep, and it plans a fleet without a host."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from lab.bench.planning import planning
from lab.bench.spreading import BATCH, FASTER, FAULTS, SILENT, spread
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


def test_a_chain_of_hosts_that_pass_on_is_nearly_as_fast_as_one_host_and_bears_faults() -> None:
    last = {it: spread(8, "", (it,)).last[it] for it in ("plain", "whole", "tree", "chain", "swarm")}
    assert last["plain"] == pytest.approx(8, rel=0.01)
    assert last["whole"] == pytest.approx(4, rel=0.01)
    assert last["tree"] == pytest.approx(2, rel=0.05)
    assert last["chain"] == pytest.approx(1, rel=0.05)
    assert last["swarm"] == pytest.approx(1.1, rel=0.1)
    for fault in FAULTS:
        assert spread(20, fault, ("chain",)).last["chain"] < 2.5


def test_the_simulation_has_the_limits_of_the_product() -> None:
    text = (REPOSITORY / "engine" / "scripts" / "fetch_pieces.py").read_text(encoding="utf-8")
    limits = (f"SILENT, SLOW, PATIENCE, POLL = {SILENT},", f"BATCH, TRIAL = {BATCH},", f"FASTER = {FASTER}\n")
    assert [it for it in limits if it not in text] == []


def test_the_figures_of_planned_fleets_are_tables_in_both_languages() -> None:
    line = [sys.executable, "-m", "lab.bench", "--planning", "1", "3"]
    printed = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for row in (r"\| 3 \| \d+\.\d\d \| \d+\.\d\d \| \d+ \|", r"\| 3 \| \d+,\d\d \| \d+,\d\d \| \d+ \|"):
        assert re.search(row, printed)
