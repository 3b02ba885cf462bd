"""The figures as the tables of docs/figures.md and docs/figures.pl.md."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from lab.bench.filling import Fetched, Passed
from lab.bench.planning import Planning
from lab.bench.spreading import WAYS, Spread

# What is measured, in both languages, in the order of the table.
ROWS = {
    "bare": ("the observation over bare `ssh`", "obserwacja przez samo `ssh`", 1),
    "pyinfra": (
        "pyinfra: start, connect, one observation",
        "pyinfra: start, połączenie, jedna obserwacja",
        1,
    ),
    "venom": ("`deploy/venom.py`, nothing to do", "`deploy/venom.py`, nic do zrobienia", 1),
    "mitogen": ("Ansible with mitogen, the same state", "Ansible z mitogenem, ten sam stan", 1),
    "ansible": ("Ansible, the same state", "Ansible, ten sam stan", 1),
    "pyinfra-8": (
        "pyinfra: start, connect, one observation",
        "pyinfra: start, połączenie, jedna obserwacja",
        8,
    ),
    "venom-8": ("`deploy/venom.py`, nothing to do", "`deploy/venom.py`, nic do zrobienia", 8),
    "off": ("`light` to `llm_off`", "z `light` na `llm_off`", 1),
    "light": ("`llm_off` to `light`", "z `llm_off` na `light`", 1),
    "rollback": ("`deploy/rollback.py`", "`deploy/rollback.py`", 1),
}
_HEADS = (("what", "hosts", "seconds", "minimum to maximum"), ("co", "hosty", "sekundy", "minimum–maksimum"))
_GOALS = (
    ("a run with nothing to do ÷ pyinfra alone", "przebieg bez zmian ÷ samo pyinfra"),
    ("Ansible ÷ this product", "Ansible ÷ ten produkt"),
    ("Ansible with mitogen ÷ this product", "Ansible z mitogenem ÷ ten produkt"),
    ("eight hosts ÷ one host", "osiem hostów ÷ jeden host"),
)
_GOAL_HEADS = (("ratio", "goal", "result", "met"), ("stosunek", "cel", "wynik", "osiągnięty"))

_PLANNING_HEADS = (
    ("hosts", "inventory read and validated, s", "all planned, source packed, s", "peak memory, MiB"),
    ("hosty", "odczyt i sprawdzenie inwentarza, s", "plany wszystkich i pakowanie źródeł, s", "pamięć, MiB"),
)


_SPREADING_HEADS = (("hosts", "fault", *WAYS), ("hosty", "usterka", *WAYS))
_FETCHED_HEADS = (
    (
        "hosts",
        "upstream, MB",
        "Internet, the store's host, MB",
        "Internet, all others, MB",
        "the run, s",
    ),
    (
        "hosty",
        "serwer źródłowy, MB",
        "Internet, host magazynu, MB",
        "Internet, pozostałe, MB",
        "przebieg, s",
    ),
)
_WAYS = {
    "alone": ("alone", "sam"),
    "plain": ("all from the store", "wszystko z magazynu"),
    "peers": ("`peers`", "`peers`"),
}
_PASSED_HEADS = (
    ("way", "hosts", "seconds", "÷ one host"),
    ("sposób", "hosty", "sekundy", "÷ jeden host"),
)
_FAULTS_IN_POLISH = {"": "", "dead": "martwe", "lying": "kłamiące", "slow": "wolne"}


def machine() -> str:
    """This machine: processor, cores, memory, how busy it is; and the date."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*([0-9]+)", Path("/proc/meminfo").read_text())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {model[1].strip() if model else 'unknown processor'}, "
        f"{os.cpu_count()} cores, {int(memory[1]) / 2**20 if memory else 0:.0f} GiB, "
        f"load average {os.getloadavg()[0]:.1f}"
    )


def tables(taken: Mapping[str, Sequence[float]]) -> str:
    """Both tables, first in English, then in Polish, from all seconds that each row took."""
    middle = {name: median(seconds) for name, seconds in taken.items()}
    ratios = [
        (middle["venom"] / middle["pyinfra"], "≤ 1.5"),
        (middle["ansible"] / middle["venom"], "≥ 20"),
        (middle["mitogen"] / middle["venom"], "≥ 4"),
        *([(middle["venom-8"] / middle["venom"], "≤ 2")] if "venom-8" in middle else []),
    ]
    text = []
    for language, (yes, no) in enumerate((("yes", "no"), ("tak", "nie"))):
        rows = [
            (ROWS[name][language], ROWS[name][2], f"{middle[name]:.2f}", f"{min(s):.2f}–{max(s):.2f}")
            for name, s in taken.items()
        ]
        text.append(_table(_HEADS[language], rows))
        goals = [
            (_GOALS[i][language], goal, f"{ratio:.2f}", yes if _met(ratio, goal) else no)
            for i, (ratio, goal) in enumerate(ratios)
        ]
        text.append(_table(_GOAL_HEADS[language], goals))
    return "\n".join([*text[:2], *map(_polish, text[2:])])


def fleet_tables(hosts: int, taken: Mapping[str, Sequence[float]]) -> str:
    """The table of one host and so many, first in English, then in Polish; with the ratio of the two."""
    middle = {name: median(seconds) for name, seconds in taken.items()}
    ratio = f"{middle['venom-all'] / middle['venom']:.2f}"
    text = []
    for language, words in enumerate(("all hosts ÷ one host", "wszystkie hosty ÷ jeden host")):
        rows = []
        for name, seconds in taken.items():
            one = name.removesuffix("-all")
            spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
            rows.append((ROWS[one][language], 1 if name == one else hosts, f"{middle[name]:.2f}", spread))
        text.append(_table(_HEADS[language], [*rows, (words, hosts, ratio, "")]))
    return f"{text[0]}\n{_polish(text[1])}"


def planning_tables(taken: Sequence[Planning]) -> str:
    """The table of fleets that were planned, first in English, then in Polish."""
    rows = [(it.hosts, f"{it.validated:.2f}", f"{it.planned:.2f}", f"{it.peak:.0f}") for it in taken]
    english, polish = (_table(head, rows) for head in _PLANNING_HEADS)
    return f"{english}\n{_polish(polish)}"


def spreading_tables(taken: Sequence[Spread]) -> str:
    """The table of how one content spreads, first in English, then in Polish."""
    tables = []
    for language, heads in enumerate(_SPREADING_HEADS):
        rows = [
            (
                it.hosts,
                _FAULTS_IN_POLISH[it.fault] if language else it.fault,
                *(f"{last:.2f}" for last in it.last.values()),
            )
            for it in taken
        ]
        tables.append(_table(heads, rows))
    return f"{tables[0]}\n{_polish(tables[1])}"


def fetched_tables(taken: Sequence[Fetched]) -> str:
    """The table of what fleets took from elsewhere, first in English, then in Polish."""
    rows = [
        (it.hosts, *(f"{size / 1e6:.1f}" for size in (it.upstream, it.store, it.others)), f"{it.seconds:.0f}")
        for it in taken
    ]
    english, polish = (_table(heads, rows) for heads in _FETCHED_HEADS)
    return f"{english}\n{_polish(polish)}"


def passed_tables(taken: Sequence[Passed]) -> str:
    """The table of how fast a model reached all hosts, first in English, then in Polish."""
    alone = taken[0].seconds
    rows = [(_WAYS[it.way], it.hosts, f"{it.seconds:.1f}", f"{it.seconds / alone:.2f}") for it in taken]
    english, polish = (
        _table(heads, [(row[0][language], *row[1:]) for row in rows])
        for language, heads in enumerate(_PASSED_HEADS)
    )
    return f"{english}\n{_polish(polish)}"


def _polish(table: str) -> str:
    return re.sub(r"([0-9])\.([0-9])", r"\1,\2", table)


def _met(ratio: float, goal: str) -> bool:
    sign, limit = goal.split()
    return ratio <= float(limit) if sign == "≤" else ratio >= float(limit)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
