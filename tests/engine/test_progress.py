"""How far a job is, as the operator reads it: bytes, rate, what is left; packages; the tool's own phase."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.progress import Pace, Status, duration, line, size

DOWNLOAD = Status("active", step="Ollama 0.24.0: download", unit="bytes", want=1_240_000_000)
NPM = Status("active", step="npm ci", step_seconds=12, unit="packages", want=623, have=312)


def paced(rate: float, seconds: int, start: int = 0) -> Pace:
    """A look each second at what grows by `rate` a second."""
    pace = Pace()
    for now in range(seconds + 1):
        pace = pace.then(now, start + round(rate * now))
    return pace


def shown(have: int, pace: Pace) -> str:
    return line("Ollama 0.24.0", replace(DOWNLOAD, have=have), pace)


def test_a_download_shows_bytes_rate_and_what_is_left() -> None:
    pace = paced(18e6, 8, start=268_000_000)
    assert shown(412_000_000, pace) == "Ollama 0.24.0: download, 412 of 1240 MB, 33 %, 18 MB/s, 46 s left"


def test_a_rate_is_reported_once_it_is_known() -> None:
    assert shown(9_000_000, paced(9e6, 1)) == "Ollama 0.24.0: download, 9 of 1240 MB, 0 %"


def test_a_rate_is_that_of_the_last_ten_seconds() -> None:
    pace = paced(1e6, 60)
    for now in range(61, 72):
        pace = pace.then(now, 60_000_000 + (now - 60) * 30_000_000)
    assert pace.rate == pytest.approx(30e6)


def test_one_slow_look_leaves_a_rate() -> None:
    assert Pace().then(0, 0).then(25, 25_000_000).rate == pytest.approx(1e6)


def test_a_transfer_that_stands_still_says_since_when() -> None:
    pace = paced(5e6, 10)
    for now in range(11, 17):
        pace = pace.then(now, 50_000_000)
    assert shown(50_000_000, pace).endswith("50 of 1240 MB, 4 %, nothing for 6 s")


def test_a_count_that_falls_is_of_another_file() -> None:
    pace = paced(5e6, 10).then(11, 1_000)
    assert pace.rate == 0
    assert pace.quiet == 0


def test_what_is_larger_than_promised_is_not_more_than_all() -> None:
    assert ", 100 %" in shown(1_300_000_000, paced(1e6, 5, start=1_290_000_000))
    assert "left" not in shown(1_300_000_000, paced(1e6, 5, start=1_290_000_000))


def test_packages_are_counted_and_timed() -> None:
    assert line("UI build", NPM, Pace()) == "UI build: npm ci, 312 of 623 packages, 12 s"
    assert line("UI build", replace(NPM, have=640), Pace()) == "UI build: npm ci, 623 of 623 packages, 12 s"


def test_a_step_of_unknown_size_is_timed() -> None:
    unknown = replace(NPM, want=0, step_seconds=130)
    assert line("UI build", unknown, Pace()) == "UI build: npm ci, 2 min"


def test_a_tool_s_own_phase_is_reported() -> None:
    build = Status("active", step="build", step_seconds=31, unit="", phase="Running TypeScript")
    assert line("UI build", build, Pace()) == "UI build: build, Running TypeScript, 31 s"


def test_a_status_is_read_from_what_the_host_says() -> None:
    answer = "state=active\nstep=npm ci\nstep_seconds=12\nseconds=60\nunit=packages\nhave=312\nwant=623\n"
    assert Status.of(answer) == replace(NPM, seconds=60)
    assert Status.of(answer).runs
    assert Status.of("state=inactive\nmade=yes\n") == Status("inactive", made=True)
    assert not Status.of("").runs


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 kB"),
        (700e3, "700 kB"),
        (1.25e6, "1.2 MB"),
        (18e6, "18 MB"),
        (3.3e9, "3338 MB"),
        (17e9, "17.0 GB"),
    ],
)
def test_sizes_are_in_the_unit_of_downloads(count: float, text: str) -> None:
    assert size(3.338e9 if count == 3.3e9 else count) == text


def test_times_are_in_the_largest_unit_that_fits() -> None:
    assert [duration(it) for it in (-1, 5, 119, 120, 7199, 7200, 172799, 172800)] == [
        *("0 s", "5 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"),
    ]
