"""The figures of the matrix are the tool's own, and show what changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from audit import figures
from audit.figures import write
from schemas.data.dependencies import EXCLUDED, matrix


def found(**packages: dict[str, Any]) -> dict[str, Any]:
    """An audit that has measured these packages; `critical` says that start-up imports one."""
    measured = {name: {k: v for k, v in it.items() if k != "critical"} for name, it in packages.items()}
    return {
        "source": "a test",
        "packages": [
            {"package": name, "critical": it.get("critical", False)} for name, it in packages.items()
        ],
        "measured": {
            "python": "3.12.1",
            "seconds": 1.0,
            "resident": [1, 3],
            "packages": len(packages),
            "installed": 1,
            "loaded": measured,
        },
    }


def test_what_became_critical_is_reported_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "PATH", tmp_path / "figures.yaml")
    write(found(old={"installed": 5_000_000}, same={"installed": 1}, lazy={"installed": 2}), {})
    lines = write(
        found(
            new={"installed": 3_000_000},
            same={"installed": 9_000_000},
            lazy={"installed": 2, "critical": True},
        ),
        {},
    )
    assert lines == [
        "start-up critical now  lazy",
        "gone                   old: 5.0 MB",
        "new                    new: 3.0 MB",
        "size                   same: +9.0 MB",
    ]
    assert (
        write(found(same={"installed": 1_000}, lazy={"installed": 2}), {})[0] == "no longer critical     lazy"
    )


def test_the_kept_figures_agree_with_the_matrix() -> None:
    stored = yaml.safe_load(figures.PATH.read_text(encoding="utf-8"))
    for name, it in stored["packages"].items():
        decided = matrix().of(name)
        assert decided is None or decided.decision != EXCLUDED, f"{name} was in a light environment"
        assert not it.get("start_up") or (decided and decided.decision == "required"), name
    for tier in stored["tiers"].values():
        assert all(matrix().of(name) for name in tier.get("excluded_from_light", ()))
