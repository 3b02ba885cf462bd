"""The status of a host as it is reported: table, document and exit status."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from engine.resources import Difference
from roles.status.report import Report, document, exit_status, report
from schemas.hardware import Gpu
from tests.roles.states import (
    KEY,
    SEEN,
    desired,
    generation_kept,
    judged,
    plain,
    state,
)


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


def test_a_kept_generation_shows_the_copy_of_its_data() -> None:
    it = judged(kept=[generation_kept(data_at="2026-11-22T08:00:00Z", data_bytes=12_300_000)])
    assert f"  data        {KEY}  2026-11-22 08:00 UTC  12 MB\n" in plain(it)


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


STORE = {
    **{"items": 214, "held": 212, "missing": ["ollama 0.32.15", "node 24.21.0"], "bytes": 5_100_000_000},
    **{"hosts": {"one": 190, "two": 188}, "unneeded": 3, "unneeded_bytes": 1_200_000_000},
    **{"free": 80_000_000_000, "trouble": ""},
}


def _with_store(store: dict[str, Any] | None = None) -> Report:
    return report("box", "192.0.2.1", state=state(), observed=SEEN, desired=desired(), errors=[], store=store)


def test_a_store_is_reported_with_what_it_holds_for_whom_and_what_nobody_needs() -> None:
    text = plain(_with_store(STORE))
    assert "store       212 of 214 items, 5100 MB; 80.0 GB free" in text
    assert "for one 190, two 188" in text
    assert "1200 MB that nobody needs: deploy/venom.py --data purge=yes frees it" in text


def test_a_store_that_lacks_something_or_does_not_serve_is_a_drift() -> None:
    it = _with_store(STORE)
    assert [str(one) for one in it.pending] == ["the store: lacks ollama 0.32.15, node 24.21.0"]
    silent = _with_store({**STORE, "missing": [], "trouble": "connection refused"})
    assert [str(one) for one in silent.pending] == ["the store: does not serve: connection refused"]
    assert "store" not in json.loads(document([_with_store()]))["hosts"]["box"]
