"""How a host differs from what was applied and from the plan: each difference once, with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.generation import restored
from engine.observation import NONCE, Observed
from engine.paths import RECEIPT
from engine.resources import Difference, File, Link, sha256
from roles.backend.deploy import UNIT
from roles.status.drift import Desired, drift
from roles.status.report import document, report
from tests.roles.states import (
    CURRENT,
    FILE,
    GENERATION,
    KEY,
    SEEN,
    SERVICE,
    desired,
    digested,
    judged,
    plain,
    state,
)


def test_what_a_host_reports_of_its_generation_is_compared_like_the_generation_itself() -> None:
    assert restored(digested()).differs(SEEN) == GENERATION.differs(SEEN) == []
    env = {**SEEN.env_files["/var/lib/venom/venom.env"], "values": {"KEY": sha256(NONCE + "other")}}
    other = replace(SEEN, env_files={"/var/lib/venom/venom.env": env})
    for observed, count in ((Observed(), 6), (other, 1)):
        assert restored(digested()).differs(observed) == GENERATION.differs(observed)
        assert len(GENERATION.differs(observed)) == count


@pytest.mark.parametrize(
    ("change", "thing"),
    [
        ({"receipt": {"generation": "g0"}}, RECEIPT),
        ({"receipt": {}}, RECEIPT),
        ({"paths": {**SEEN.paths, CURRENT: {"kind": "link", "target": "g0.json"}}}, CURRENT),
        ({"paths": {**SEEN.paths, GENERATION.file.path: {**FILE, "mode": "0600"}}}, GENERATION.file.path),
    ],
)
def test_a_generation_is_proven_by_its_receipt_its_link_and_its_file(
    change: dict[str, Any], thing: str
) -> None:
    assert GENERATION.unproven(SEEN) == []
    assert [it.thing for it in GENERATION.unproven(replace(SEEN, **change))] == [thing]


@pytest.mark.parametrize(
    ("path", "change", "why"),
    [
        ("/etc/venom/units", {"mode": "0700"}, "mode is 0700"),
        ("/etc/venom/a", {"sha256": sha256("")}, "other content"),
        ("/etc/venom/a", {"owner": "nobody"}, "owner is nobody"),
        ("/opt/venom/current", {"target": "/nowhere"}, "points to /nowhere, not releases/abc"),
    ],
)
def test_what_was_changed_by_hand_is_named_once_with_its_reason(
    path: str, change: dict[str, str], why: str
) -> None:
    observed = replace(SEEN, paths={**SEEN.paths, path: {**SEEN.paths[path], **change}})
    it = judged(observed)
    assert (it.state, it.changed, it.pending) == ("drift", (Difference(path, why),), ())
    assert f"  drift       the host is not as it was left:\n                {path}: {why}" in plain(it)


def test_a_setting_that_was_changed_is_named_by_its_key_alone() -> None:
    file = {**SEEN.env_files["/var/lib/venom/venom.env"], "values": {"KEY": sha256(NONCE + "other")}}
    it = judged(replace(SEEN, env_files={"/var/lib/venom/venom.env": file}))
    assert it.changed == (Difference("/var/lib/venom/venom.env", "differs in KEY"),)
    assert "secret" not in plain(it) + document([it])


def test_a_service_that_runs_and_does_not_answer_is_drift() -> None:
    it = judged(answers={UNIT: "status 500"})
    assert it.changed == (Difference(UNIT, "does not answer: status 500"),)
    assert "  backend     does not answer: status 500, since" in plain(it)


def test_a_run_has_something_to_do_where_a_service_runs_as_planned_and_does_not_answer() -> None:
    silent = {SERVICE.url: "[Errno 111] Connection refused"}
    assert GENERATION.differs(replace(SEEN, silent=silent)) == [
        Difference(UNIT, "does not answer: [Errno 111] Connection refused")
    ]
    failed = {**SEEN.units, UNIT: {**SEEN.units[UNIT], "ActiveState": "failed"}}
    # What does not run at all is named once.
    assert GENERATION.differs(replace(SEEN, silent=silent, units=failed)) == [Difference(UNIT, "failed")]


def test_a_service_that_was_started_with_something_else_is_drift_although_it_answers() -> None:
    other = {**SEEN.units, UNIT: {**SEEN.units[UNIT], "Fingerprint": "beef"}}
    assert judged(replace(SEEN, units=other)).changed == (
        Difference(UNIT, "runs with other inputs than it should"),
    )


def test_a_service_that_does_not_run_is_named_once() -> None:
    stopped = {**SEEN.units, UNIT: {**SEEN.units[UNIT], "ActiveState": "activating"}}
    unit = {"state": "activating", "substate": "auto-restart", "since": 0, "restarts": 5, "memory": 0}
    units = {UNIT: unit, "ollama.service": {**unit, "state": "active"}}
    it = judged(replace(SEEN, units=stopped), answers={UNIT: "Connection refused"}, units=units)
    assert it.changed == (Difference(UNIT, "activating"),)
    assert drift(state(answers={UNIT: "Connection refused"}), replace(SEEN, units=stopped), None)[0] == [
        Difference(UNIT, "activating")
    ]
    assert "  backend     does not run: activating (auto-restart)\n" in plain(it)
    assert "              systemd restarted it 5 times: journalctl -u venom-backend.service\n" in plain(it)
    assert "  ollama      runs but must not\n" in plain(it)


def test_what_the_inventory_says_since_is_kept_apart() -> None:
    record = {"applied": {"plan": {"profile": "light", "python": {"version": "3.12.1"}, "model": {"a": 1}}}}
    other = replace(
        GENERATION,
        record=record,
        stopped=(),
        resources=(
            *GENERATION.resources[:1],
            File("/etc/venom/a", "new\n"),
            Link("/opt/venom/current", "r/x"),
        ),
    )
    by_hand = {**SEEN.paths, "/opt/venom/current": {"kind": "link", "target": "/nowhere"}}
    observed = replace(SEEN, paths=by_hand)
    changed, pending = drift(state(), observed, desired(other, observed))
    assert changed == [Difference("/opt/venom/current", "points to /nowhere, not releases/abc")]
    assert pending == [
        Difference("plan model", "none -> 1 values"),
        Difference("plan profile", "llm_off -> light"),
        Difference("/etc/venom/a", "other content"),
    ]


def test_what_the_inventory_says_since_is_shown_in_its_words_and_what_follows_is_counted() -> None:
    plans: list[dict[str, Any]] = [
        {"profile": "light", "vram_tier": {"name": name, "num_parallel": slots}}
        for name, slots in (("balanced-12-24gb", 2), ("low-vram-8-12gb", 1))
    ]
    was, now = ({"vram_tier": plan["vram_tier"]["name"]} for plan in plans)
    other = replace(GENERATION, record={"applied": {"plan": plans[1]}}, declaration=now)
    want = Desired(other, [Difference("/etc/venom/a", "other content")])
    receipt = {"generation": KEY, "applied": {"plan": plans[0], "declaration": was}}
    it = report("box", "192.0.2.1", state=state(receipt=receipt), observed=SEEN, desired=want, errors=[])
    assert (
        "  drift       not yet as the inventory asks:\n"
        "                vram_tier: balanced-12-24gb -> low-vram-8-12gb\n"
        "                and 2 values of the plan follow\n"
        "                /etc/venom/a: other content"
    ) in plain(it)
    assert json.loads(document([it]))["hosts"]["box"]["drift"]["from_plan"] == [
        {"thing": "vram_tier", "why": "balanced-12-24gb -> low-vram-8-12gb"},
        {"thing": "plan vram_tier.name", "why": "balanced-12-24gb -> low-vram-8-12gb"},
        {"thing": "plan vram_tier.num_parallel", "why": "2 -> 1"},
        {"thing": "/etc/venom/a", "why": "other content"},
    ]
    # A former version kept no declaration.
    old = state(receipt={"generation": KEY, "applied": {"plan": plans[0]}})
    assert [it.thing for it in drift(old, SEEN, want)[1]] == [
        "plan vram_tier.name",
        "plan vram_tier.num_parallel",
        "/etc/venom/a",
    ]


def test_the_same_plan_by_another_version_of_the_provisioner_says_so() -> None:
    other = replace(GENERATION, store_paths=())
    _, pending = drift(state(), SEEN, desired(other))
    assert [it.thing for it in pending] == ["the plan"]
    assert "this version of the provisioner" in pending[0].why


def test_a_generation_that_was_lost_and_a_receipt_that_names_another_are_reported() -> None:
    lost = report(
        "box", "a", state=state(generation=None), observed=SEEN, desired=None, errors=["required  a lock"]
    )
    assert lost.state == "error"
    assert [it.thing for it in lost.changed] == [CURRENT]
    other = judged(replace(SEEN, receipt={"generation": "g0"}), receipt={"generation": "g0"})
    assert [it.thing for it in other.changed] == [RECEIPT]
