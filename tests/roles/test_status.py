"""The status of a host is judged and reported by pure functions: what differs, from what, once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import click
import pytest

from engine.env import quoted
from engine.generation import Generation, restored
from engine.observation import NONCE, Observed
from engine.paths import GENERATIONS, RECEIPT
from engine.resources import Difference, Directory, Enabled, EnvFile, File, Link, sha256
from engine.services import Service
from roles.backend.deploy import UNIT
from roles.status.drift import Desired, drift
from roles.status.report import Report, document, exit_status, report
from roles.status.state import HostState
from roles.status.table import table
from schemas.hardware import Gpu

SERVICE = Service(UNIT, "Backend", "f00d", "http://127.0.0.1:8000/healthz", 120)
GENERATION = Generation(
    name="Venom v1.9.0 (62ce167a1ff8), llm_off",
    resources=(
        Directory("/etc/venom/units"),
        File("/etc/venom/a", "text\n"),
        Link("/opt/venom/current", "releases/abc"),
        EnvFile("/var/lib/venom/venom.env", {"KEY": "a secret"}, owner="venom"),
        Enabled(UNIT),
    ),
    services=(SERVICE,),
    stopped=("ollama.service",),
    store_paths=("/opt/venom/sources/s",),
    record={"applied": {"plan": {"profile": "llm_off", "python": {"version": "3.12.1"}, "model": None}}},
)
KEY = GENERATION.key
CURRENT = f"{GENERATIONS}/current"
FILE = {"kind": "file", "mode": "0644", "owner": "root"}
SEEN = Observed(
    paths={
        "/etc/venom/units": {"kind": "directory", "mode": "0755", "owner": "root"},
        "/etc/venom/a": {**FILE, "sha256": sha256("text\n")},
        "/opt/venom/current": {"kind": "link", "target": "releases/abc"},
        "/opt/venom/sources/s": {"kind": "directory"},
        CURRENT: {"kind": "link", "target": f"{KEY}.json"},
        GENERATION.file.path: {**FILE, "mode": "0600", "sha256": GENERATION.file.digest},
    },
    env_files={
        "/var/lib/venom/venom.env": {
            **{"mode": "0600", "owner": "venom"},
            "values": {"KEY": sha256(NONCE + quoted("a secret")), "PANEL": "another"},
        }
    },
    units={
        UNIT: {"ActiveState": "active", "UnitFileState": "enabled", "Fingerprint": "f00d"},
        "ollama.service": {"ActiveState": "inactive"},
    },
    receipt={"generation": KEY},
)


def digested() -> dict[str, Any]:
    """The generation as a host reports it."""
    content: dict[str, Any] = json.loads(json.dumps(GENERATION.content()))
    for it in content["resources"]:
        if it["kind"] == "file":
            it["content"] = sha256(it["content"])
        if it["kind"] == "settings":
            it["values"] = {key: sha256(NONCE + value) for key, value in it["values"].items()}
    return content


def answer_of_status(**changes: Any) -> dict[str, Any]:
    """What status.py prints."""
    unit = {"state": "active", "substate": "running", "since": 1000, "restarts": 0, "memory": 60 << 20}
    it = {
        "now": 1000 + 7200,
        "key": KEY,
        "generation": digested(),
        "receipt": {
            **GENERATION.record,
            **{"generation": KEY, "at": "2026-11-21T20:11:47Z", "by": "ada@desk"},
        },
        "kept": [{"key": KEY, "at": "2026-11-21T20:11:40Z", "name": GENERATION.name}],
        "units": {UNIT: unit, "ollama.service": {**unit, "state": "inactive", "memory": 0}},
        "answers": {UNIT: ""},
        "models": None,
        "versions": {"Python": "3.12.1", "Node": "24.1.0", "Ollama": ""},
        "lock": "",
    }
    return it | changes


def state(**changes: Any) -> HostState:
    return HostState.of(json.dumps(answer_of_status(**changes)))


def desired(generation: Generation = GENERATION, observed: Observed = SEEN) -> Desired:
    return Desired(generation, [*generation.unproven(observed), *generation.differs(observed)])


def judged(observed: Observed = SEEN, **changes: Any) -> Report:
    host = state(**changes)
    return report(
        "box", "192.0.2.1", state=host, observed=observed, desired=desired(observed=observed), errors=[]
    )


def plain(it: Report) -> str:
    return click.unstyle(table(it))


def test_a_host_as_applied_and_as_planned_is_in_sync() -> None:
    it = judged()
    assert (it.state, it.changed, it.pending) == ("in sync", (), ())
    assert plain(it) == (
        "box (192.0.2.1): in sync\n"
        "  profile     llm_off\n"
        "  venom       Venom v1.9.0 (62ce167a1ff8)\n"
        "  versions    Python 3.12.1, Node 24.1.0\n"
        "  backend     serves, since 1970-01-01 00:16 UTC (2 h), 60 MiB\n"
        "  ollama      does not run, as the profile says\n"
        f"  applied     2026-11-21 20:11 UTC by ada@desk: {KEY}\n"
        f"  kept        {KEY}  2026-11-21 20:11 UTC  Venom v1.9.0 (62ce167a1ff8), llm_off  (serves now)\n"
        "  drift       none"
    )


def test_what_runs_from_images_is_named_with_their_digests() -> None:
    images = {
        name: {"name": name, "sha256": digit * 64} for name, digit in (("backend", "a"), ("frontend", "b"))
    }
    plan = {"profile": "light", "images": images, "ollama": {"image": {"name": "ollama", "sha256": "c" * 64}}}
    it = judged(receipt={"applied": {"plan": plan}}, versions={"Python": "", "Node": "", "Ollama": ""})
    assert it.images == {"backend": "a" * 64, "frontend": "b" * 64, "ollama": "c" * 64}
    text = f"backend sha256 {'a' * 12}, frontend sha256 {'b' * 12}, ollama sha256 {'c' * 12}"
    assert f"  images      {text}\n" in plain(it)
    assert "versions" not in plain(it)
    of_files = judged(receipt={"applied": {"plan": {**plan, "images": None, "ollama": {"image": None}}}})
    assert of_files.images == {}


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


def test_cards_are_reported_with_the_memory_that_they_have() -> None:
    own = Gpu("nvidia", "RTX 3060", 12 << 30, "550.163.01", "8.6")
    shared = Gpu("nvidia", "NVIDIA GB10", 120 << 30, "580.126.09", "12.1", unified=True)
    with_cards = replace(desired(), cards=(own, shared), remarks=("nvidia-smi: WARNING: infoROM",))
    it = report("box", "a", state=state(), observed=SEEN, desired=with_cards, errors=[])
    assert it.state == "in sync"
    assert [line.strip() for line in plain(it).splitlines() if "card" in line or "NVIDIA" in line] == [
        "card        RTX 3060, 12.0 GiB, driver 550.163.01",
        "NVIDIA GB10, 120.0 GiB of main memory, driver 580.126.09",
    ]
    assert "nvidia-smi: WARNING: infoROM" in plain(it)


def test_a_host_that_was_never_provisioned_says_so_and_drifted() -> None:
    for host in (None, state(key="", generation=None, receipt={}, units={}, answers={}, kept=[])):
        it = report("box", "192.0.2.1", state=host, observed=None, desired=None, errors=[])
        assert it.state == "drift"
        assert plain(it).splitlines()[1:] == [
            "  drift       not provisioned: no run of deploy/venom.py ended here"
        ]


def test_who_changes_the_host_just_now_is_reported() -> None:
    it = judged(lock="bob@desk since 2026-11-21T20:00:00+00:00: deploy/venom.py")
    assert "  now         bob@desk since 2026-11-21T20:00:00+00:00: deploy/venom.py: it changes" in plain(it)


@pytest.mark.parametrize("name", ["vram_tier", "tier"])  # as a former version called it
def test_the_vram_tier_is_reported_before_the_model(name: str) -> None:
    plan = {name: {"name": "low-vram-8-12gb"}, "model": {"name": "gemma3:4b"}}
    it = judged(receipt={"generation": KEY, "applied": {"plan": plan}})
    assert "  vram tier   low-vram-8-12gb\n  model       gemma3:4b" in plain(it)
    assert json.loads(document([it]))["hosts"]["box"]["vram_tier"] == "low-vram-8-12gb"


def test_a_profile_without_a_model_of_its_own_has_no_vram_tier() -> None:
    it = judged()
    assert "vram" not in plain(it)
    assert "vram_tier" not in json.loads(document([it]))["hosts"]["box"]


@pytest.mark.parametrize(
    ("models", "text"),
    [
        (None, "gemma3:4b, digest unknown: Ollama does not answer"),
        ({"digests": {}, "loaded": {}}, "gemma3:4b is not there"),
        ({"digests": {"gemma3:4b": "a" * 64}, "loaded": {}}, "gemma3:4b, sha256 aaaaaaaaaaaa, not loaded"),
        (
            {
                "digests": {"gemma3:4b": "a" * 64},
                "loaded": {"gemma3:4b": {"size": 5 << 30, "size_vram": 4 << 30}},
            },
            "gemma3:4b, sha256 aaaaaaaaaaaa, 4.0 GiB of 5.0 GiB in VRAM",
        ),
    ],
)
def test_the_model_is_reported_as_the_host_has_it(models: dict[str, Any] | None, text: str) -> None:
    receipt = {"generation": KEY, "applied": {"plan": {"model": {"name": "gemma3:4b"}}}}
    assert f"  model       {text}\n" in plain(judged(models=models, receipt=receipt))


def test_the_exit_status_is_that_of_the_worst_host() -> None:
    good = judged()
    bad = replace(good, changed=(Difference("/a", "b"),))
    failed = replace(good, errors=("no",))
    assert [exit_status(it) for it in ([good], [good, bad], [bad, failed, good])] == [0, 2, 1]


def test_the_document_says_the_same_as_the_table() -> None:
    observed = replace(
        SEEN, paths={**SEEN.paths, "/etc/venom/a": {**SEEN.paths["/etc/venom/a"], "mode": "0600"}}
    )
    read = json.loads(document([judged(observed), replace(judged(), host="other")]))
    assert read["status"] == 2
    box, other = read["hosts"]["box"], read["hosts"]["other"]
    assert (box["state"], other["state"]) == ("drift", "in sync")
    assert box["drift"]["from_receipt"] == [{"thing": "/etc/venom/a", "why": "mode is 0600"}]
    assert box["versions"] == {"python": "3.12.1", "node": "24.1.0", "ollama": ""}
    for value in (box["profile"], box["venom"], box["generation"], *box["versions"].values()):
        assert value in plain(judged(observed))


def test_a_line_of_a_table_fits_a_terminal() -> None:
    names = [f"SETTING_NUMBER_{number}" for number in range(40)]
    it = replace(
        judged(), changed=(Difference("/var/lib/venom/venom.env", f"differs in {', '.join(names)}"),)
    )
    assert max(len(line) for line in plain(it).splitlines()) <= 110
    assert re.findall(r"SETTING_NUMBER_\d+", plain(it)) == names
