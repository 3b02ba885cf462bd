"""What deploy/status.py prints of a fleet in which every kind of host is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from engine.resources import Difference
from roles.status.backups import Backups
from roles.status.report import ModelReport, Report, document
from roles.verification import metrics
from roles.verification.acceptance import Measured
from tests.roles.states import generation_kept, judged

BUDGETS = {"chat_seconds": 25.0, "ui_chat_seconds": 15.0, "memory_mib": 6144.0}
MEASURED = {"chat_seconds": 7.5, "ui_chat_seconds": 21.1}


def fleet() -> dict[str, Any]:
    """One host in sync, one that drifted and exceeds a budget, one that nobody reached, one that is bare."""
    box = replace(
        judged(),
        vram_tier="balanced-12-24gb",
        model=ModelReport("gemma3:4b", "a" * 64, known=True, size=5 << 30, vram=5 << 30),
        cards=("NVIDIA GeForce RTX 3060, 12.0 GiB, driver 550.163.01",),
        certificate="SHA-256 00:11:22, valid for 812 days",
        budgets=tuple(metrics.held(None, BUDGETS)),
        kept=(generation_kept(data_at="2026-11-22T08:00:00Z", data_bytes=12_300_000),),
        backups=Backups("/srv/backups", "2026-11-22T03:10:00Z", copies=7),
    )
    last = Measured("2026-11-20T03:10:00Z", "g0", "v1.9.0", "light", MEASURED)
    drifted = replace(
        box,
        host="gpu2",
        changed=(
            Difference(
                "/etc/systemd/system/venom-backend.service.d/a-long-name-of-a-drop-in.conf", "must not be"
            ),
            Difference("venom-ui.service", "runs with other inputs than it should <script>alert(1)</script>"),
        ),
        pending=(Difference("profile", "light -> llm_off"),),
        budgets=tuple(metrics.held(last, BUDGETS)),
    )
    lost = Report("gpu3", "192.0.2.3", errors=("required  an SSH connection to gpu3\nfound     no answer",))
    bare = Report("gpu4", "192.0.2.4")
    found: dict[str, Any] = json.loads(document([replace(box, host="gpu1"), drifted, lost, bare]))
    return found
