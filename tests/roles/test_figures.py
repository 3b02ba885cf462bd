"""What is measured: figures of what a host says, what they are compared with, and what is remembered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine import paths, remote
from roles.verification import history, measuring, metrics, plots
from roles.verification.acceptance import FAILED, PASSED, SKIPPED, Measured
from tests.roles.plans import components_of, plan

# As roles/verification/scripts/measure.py printed it of a host of the lab.
SAID: dict[str, Any] = {
    "receipt": {
        "at": "2026-11-22T03:18:10Z",
        "by": "ada@desk",
        "generation": "gc9cbc91be55b",
        "seconds": 155.8,
        "ready": 5.4,
        "starts": {"venom-ui.service": 1.6, "venom-backend.service": 3.2},
        "loads": {},
        "branches": {
            "backend": {"begun": 1.0, "ended": 6.2, "seconds": 5.2, "steps": [], "received": 0},
            "ui": {"begun": 1.0, "ended": 149.5, "seconds": 148.5, "steps": [], "received": 154359417},
            "activate": {"begun": 150.0, "ended": 153.7, "seconds": 3.7, "steps": []},
        },
    },
    "memory": {"ollama.service": 386150400, "venom-backend.service": 60598272, "venom-ui.service": 83007488},
    "model": {"size": 271692480, "vram": 0},
    "disk": {
        "source": 294912,
        "environment": 69705728,
        "ui": 59084800,
        "node": 145731584,
        "ollama": 75522048,
        "weights": 253165568,
        "data": 32768,
        "python": 49065984,
    },
    "ours": 751972352,
    "history": [],
}

NAMES = {it.unit: it.name for it in components_of(plan()) if it.unit}


def measured(at: str, generation: str, profile: str = "light", **values: float) -> Measured:
    """A measurement of a day in November."""
    return Measured(f"2026-11-{at}T10:00:00Z", generation, f"v{generation[1:]}", profile, values)


def test_every_figure_has_a_group_and_a_unit() -> None:
    assert {rule["x-group"] for rule in metrics.known().values()} == set(metrics.GROUPS)
    assert {metrics.unit(name) for name in metrics.known()} == set(metrics.UNITS.values())


def test_figures_are_made_of_what_the_host_says() -> None:
    found = metrics.figures(SAID, {"chat_seconds": 4.25}, NAMES)
    assert found["chat_seconds"] == 4.25
    assert found["backend_ready_seconds"] == 3.2
    assert found["all_ready_seconds"] == 5.4
    assert found["memory_mib"] == round((386150400 + 60598272 + 83007488) / 2**20, 3)
    assert found["model_mib"] == round(271692480 / 2**20, 3)
    assert found["environment_mib"] == round(69705728 / 2**20, 3)
    assert found["disk_gib"] == 0.7
    assert found["download_mib"] == round(154359417 / 2**20, 3)


def test_what_nobody_measured_is_no_figure() -> None:
    found = metrics.figures(SAID, {}, NAMES)
    assert not {"chat_seconds", "model_load_seconds", "ollama_ready_seconds", "weights_branch_seconds"} & set(
        found
    )
    uncounted = {**SAID, "receipt": {"branches": {"ui": {"seconds": 1.0, "steps": []}}}}
    assert "download_mib" not in metrics.figures(uncounted, {}, NAMES)
    assert "run_seconds" not in metrics.figures(uncounted, {}, NAMES)


def test_a_component_that_the_schema_does_not_name_has_its_figures_all_the_same() -> None:
    measures = {
        **SAID,
        "memory": {**SAID["memory"], "venom-toy.service": 3 << 20},
        "disk": {**SAID["disk"], "toy": 5 << 20},
        "receipt": {**SAID["receipt"], "starts": {"venom-toy.service": 0.5}},
    }
    found = metrics.figures(measures, {}, {**NAMES, "venom-toy.service": "toy"})
    own = {name: value for name, value in found.items() if name.startswith("toy")}
    assert own == {"toy_memory_mib": 3.0, "toy_mib": 5.0, "toy_ready_seconds": 0.5}
    groups = {group: metrics.of_group(group, found) for group in metrics.GROUPS}
    assert [names[-1] for names in groups.values() if names] == [
        *("toy_ready_seconds", "toy_memory_mib", "toy_mib"),
        "download_mib",
    ]
    assert metrics.rule("toy_ready_seconds")["title"] == "Toy ready"
    known = [Measured("2026-11-01T10:00:00Z", "g1", "v1.9.0", "light", found)]
    text = " ".join(it.text for it in plots.plots(known, {}))
    assert "Toy ready 0.5 s" in text
    assert "Ollama 368 MiB, Toy 3.00 MiB" in text


def test_a_plot_shows_the_largest_parts_and_all_others_as_the_rest() -> None:
    parts = {
        "weights": 3400.0,
        "environment": 700.0,
        "ollama": 1400.0,
        "node": 190.0,
        "ui": 90.0,
        "data": 4.0,
    }
    values = {f"{name}_mib": size for name, size in parts.items()} | {"disk_gib": 8.0}
    [disk] = plots.plots([Measured("2026-11-01T10:00:00Z", "g1", "v1.9.0", "light", values)], {})
    assert disk.legend == ("Environment", "Node.js", "Ollama", "Weights", "Other, earlier generations")
    assert disk.text.endswith(f"Other, earlier generations {8 - 5690 / 1024:.2f} GiB")


def test_sizes_are_those_of_the_declared_paths_and_of_nobody_elses(tmp_path: Path) -> None:
    pinned = tmp_path / "python" / "3.12.1-abc"
    (pinned / "bin").mkdir(parents=True)
    (pinned / "bin" / "python3").write_bytes(b"x" * 50_000)
    (pinned / "lib").write_bytes(b"x" * 70_000)
    (tmp_path / "current").symlink_to(pinned)
    sizes = {
        "python": str(tmp_path / "current/bin/python3"),  # a program: its whole installation
        "link": str(tmp_path / "current"),
        "distribution": "/usr/bin/python3",
        "gone": str(tmp_path / "gone"),
    }
    request = {"sizes": sizes, "ours": [str(tmp_path)], "history": str(tmp_path / "none")}
    program = remote.program("measure.py", ("reading.py",), measuring.SCRIPTS)
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True)
    measures = json.loads(done.stdout)
    assert measures["disk"].keys() == {"python", "link"}
    assert 120_000 < measures["disk"]["python"] == measures["disk"]["link"] <= measures["ours"]


def test_all_that_is_ours_is_counted_and_what_has_a_size_lies_there() -> None:
    listed = components_of(plan())
    ours = measuring.ours(listed)
    assert {paths.OPT, paths.OLLAMAS, paths.STATE, paths.OLLAMA_STATE, paths.CACHE} <= set(ours)
    for path in [path for it in listed for path in it.sizes.values()]:
        assert path.startswith(tuple(ours))


def test_one_compares_with_the_last_other_generation_of_the_same_profile() -> None:
    known = [
        measured("01", "g1"),
        measured("02", "g2"),
        measured("03", "g3", "llm_off"),
        measured("04", "g4"),
    ]
    assert metrics.before(known, "g4", "light") == known[1]
    assert metrics.before(known, "g3", "llm_off") == known[3]
    assert metrics.before(known[:1], "g1", "light") is None


def test_a_budget_is_a_check_with_what_was_found_and_what_grew() -> None:
    earlier = measured(
        "01", "g1", memory_mib=700.0, backend_memory_mib=300.0, ui_memory_mib=100.0, ollama_mib=72.0
    )
    now = {
        "memory_mib": 905.0,
        "backend_memory_mib": 510.0,
        "ui_memory_mib": 95.0,
        "ollama_mib": 90.0,
        "disk_gib": 1.0,
    }
    limits = {"memory_mib": 800.0, "disk_gib": 1.0, "chat_seconds": 25}
    checks = {it.name: it for it in metrics.budget_checks(now, earlier, limits)}
    assert {name: it.result for name, it in checks.items()} == {
        "budget.chat_seconds": SKIPPED,
        "budget.memory_mib": FAILED,
        "budget.disk_gib": PASSED,
    }
    failed = checks["budget.memory_mib"]
    assert (failed.expected, failed.found) == (
        "at most 800 MiB (the inventory)",
        "905 MiB (+205 MiB, +29 % since v1, light, 2026-11-01)",
    )
    assert checks["budget.chat_seconds"].expected == "at most 25 s (Venom's contract)"
    # Of all memory, and of nothing else.
    assert failed.evidence[0].title == "What grew since v1, light, 2026-11-01"
    assert failed.evidence[0].text == "Backend: 300 MiB → 510 MiB\nAll services: 700 MiB → 905 MiB"


def test_a_figure_that_was_not_measured_before_has_not_grown_from_nothing() -> None:
    earlier = Measured("2026-11-01T00:00:00Z", "g1", "v1", "light", {"chat_seconds": 7.0})
    [check] = metrics.budget_checks({"ui_chat_seconds": 21.1}, earlier, {"ui_chat_seconds": 15})
    assert (check.result, check.found, check.evidence) == (FAILED, "21.1 s", ())


def test_values_are_reported_as_people_write_them() -> None:
    assert metrics.quantity(0.012, "s") == "12 ms"
    assert metrics.quantity(1.94, "s") == "1.9 s"
    assert metrics.quantity(1234.4, "MiB") == "1\u202f234 MiB"
    assert metrics.quantity(1.234, "GiB") == "1.23 GiB"
    assert metrics.limit(25.0, "s") == "25 s"
    assert metrics.change(8.04, 8.01, "s") == "unchanged"
    assert metrics.change(7.0, 8.0, "s") == "−1.0 s, −12 %"


def test_host_and_controller_know_together_what_either_knows(tmp_path: Path) -> None:
    first, second, third = (measured(f"0{at}", f"g{at}", memory_mib=at) for at in (1, 2, 3))
    lines = [history.line(first), history.line(second)]
    assert history.remembered("gpu1", lines, tmp_path) == [first, second]
    # The host was made anew, and measured since.
    assert history.remembered("gpu1", [history.line(third)], tmp_path) == [first, second, third]
    assert history.remembered("gpu1", [history.line(third)], tmp_path) == [first, second, third]
    assert len((tmp_path / "gpu1.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_the_memory_is_bounded_and_what_is_no_measurement_is_left_out(tmp_path: Path) -> None:
    many = [history.line(measured(f"{at:05}", f"g{at}")) for at in range(history.KEEP + 9)]
    spoiled = [
        "",
        "no JSON",
        "[]",
        '{"at": 1}',
        many[0].replace("{}", "[1]"),
        many[0].replace("{}", '{"x": "y"}'),
    ]
    known = history.remembered("gpu1", [*spoiled, *many], tmp_path)
    assert len(known) == history.KEEP
    assert known[-1].generation == f"g{history.KEEP + 8}"
    assert list(tmp_path.iterdir()) == [tmp_path / "gpu1.jsonl"]
