"""What an acceptance measures of a real host: it agrees with the host, is remembered, and has its limits."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine import paths
from lab.state import REPOSITORY
from roles.verification import acceptance, history, report
from tests.lab import figures, provisioning
from tests.lab.serving import Serving


def test_figures_agree_with_the_host_are_remembered_and_have_their_limits(
    serving: Serving, tmp_path: Path
) -> None:
    host, known = serving.light, figures.remembered(serving.light)
    declared = provisioning.inventory(tmp_path, serving.of_light(budgets={"disk_gib": 0.01}))
    own = REPOSITORY / history.FOLDER / "light.jsonl"
    own.unlink(missing_ok=True)
    done = provisioning.run(declared, deploy="deploy/verify.py", timeout=300)
    lines = [line for line in done.output.splitlines() if line.startswith("report ")]
    assert lines, done.output
    path = REPOSITORY / lines[-1].split()[-1]
    try:
        accepted = acceptance.read(path).hosts[0]
        figures.agree(host, accepted)
        assert {"chat_seconds", "ui_chat_seconds", "model_mib", "run_seconds"} <= set(accepted.metrics)

        # One measurement is one line, on both sides.
        assert figures.remembered(host)[:-1] == known
        parsed = history.parsed(own.read_text(encoding="utf-8").splitlines())
        assert parsed == list(accepted.history) == figures.remembered(host)
        assert host.run(f"stat --format='%U %a' {paths.MEASURED}").stdout == "root 644\n"

        budget = next(it for it in accepted.checks if it.name == "budget.disk_gib")
        assert (done.status, accepted.result, budget.result) == (1, "failed", "failed")
        assert budget.expected == "at most 0.01 GiB (the inventory)"
        page = (path.parent / report.FILE).read_text(encoding="utf-8")
        assert "over 0.01 GiB" in page
        assert "data:image/png;base64," in page
    finally:
        shutil.rmtree(path.parent)
        own.unlink()
