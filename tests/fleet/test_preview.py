"""A change is shown in the inventory's words before a run makes it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.observation import Observed
from fleet.assessment import Assessment, Planned
from fleet.builds import Build
from fleet.preview import SHOWN, lines
from schemas.declared.declaration import declaration
from schemas.hardware import Hardware
from schemas.plan.host import assumed_hardware, plan_host
from tests.roles.plans import components_of, declared
from tests.schemas.conftest import card

BOX = "hosts:\n  box:\n    address: 192.0.2.10\n"


def planned(settings: str = "", hardware: Hardware | None = None) -> Planned:
    """What a host is to be by these settings (YAML, one a line)."""
    host = declared(BOX + "".join(f"    {line}\n" for line in settings.splitlines()))
    hardware = hardware or assumed_hardware(host)
    plan = plan_host(host, hardware)
    return Planned(hardware, plan, declaration(host), Build.unknown(plan), {}, components_of(plan))


def receipt(of: Planned) -> dict[str, Any]:
    """What the host says of it once it was applied."""
    written: dict[str, Any] = json.loads(of.generation.file.content)["record"]
    return {**written, "generation": of.generation.key}


def shown(before: dict[str, Any], after: Planned) -> list[str]:
    """The changes that are shown, without what is made and started for them."""
    every = lines(Assessment(after, Observed(receipt=before), {}, purge=False))
    return every[
        : next(at for at, line in enumerate(every) if line.startswith(("to be made", "nothing has")))
    ]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (
            "vram_tier: balanced-12-24gb",
            "vram_tier: low-vram-8-12gb",
            "vram_tier: balanced-12-24gb -> low-vram-8-12gb",
        ),
        ("", "vram_tier: low-vram-8-12gb", "vram_tier: balanced-12-24gb (default) -> low-vram-8-12gb"),
        ("model: gemma3:1b", "model: gemma3:4b", "model: gemma3:1b -> gemma3:4b"),
        ("profile: light", "profile: llm_off", "profile: light -> llm_off"),
        ("ports: {ui: 3000}", "ports: {ui: 3100}", "ports.ui: 3000 -> 3100"),
        ("ports: {ui: 3100}", "", "ports.ui: 3100 -> 3000 (default)"),
        (
            "environment: {NEXT_PUBLIC_ENV: staging}",
            "environment: {NEXT_PUBLIC_ENV: production}",
            "environment.NEXT_PUBLIC_ENV: staging -> production",
        ),
    ],
)
def test_a_changed_setting_is_one_line_and_what_follows_another(before: str, after: str, line: str) -> None:
    found = shown(receipt(planned(before)), planned(after))
    assert found[0] == line
    assert len(found) == 2
    number = int(found[1].split()[1])
    assert found[1] in (f"and {number} values of the plan follow", "and 1 value of the plan follows")


def test_what_the_plan_says_under_the_same_name_is_reported_once() -> None:
    found = shown(receipt(planned("keep_generations: 3")), planned("keep_generations: 5"))
    assert found == ["keep_generations: 3 -> 5"]


def test_several_changes_are_reported_in_the_order_of_the_schema() -> None:
    before = receipt(planned("ready_timeout: 60\nprofile: light\nmodel: gemma3:4b"))
    found = shown(before, planned("ready_timeout: 90\nmodel: gemma3:1b\nvram_tier: low-vram-8-12gb"))
    assert [line.partition(":")[0] for line in found[:-1]] == ["vram_tier", "model", "ready_timeout"]


def test_other_hardware_is_shown_by_the_plan() -> None:
    settings = "model: gemma3:4b\nvram_tier: auto"
    found = shown(receipt(planned(settings, card(24))), planned(settings, card(12)))
    assert "vram_tier.name: max-context-24gb-plus -> balanced-12-24gb" in found
    assert not any(line.startswith("vram_tier:") or line.endswith("follow") for line in found)


def test_changes_from_a_receipt_without_a_declaration_are_shown_by_the_plan() -> None:
    before = receipt(planned("vram_tier: balanced-12-24gb"))
    del before["applied"]["declaration"]
    found = shown(before, planned("vram_tier: low-vram-8-12gb"))
    assert "vram_tier.name: balanced-12-24gb -> low-vram-8-12gb" in found


def test_a_host_where_nothing_was_declared_but_its_address_has_a_declaration_all_the_same() -> None:
    before = receipt(planned())
    assert before["applied"]["declaration"] == {}
    assert shown(before, planned("keep_generations: 5")) == ["keep_generations: 3 (default) -> 5"]


def test_more_changes_than_one_reads_are_counted() -> None:
    names = [name for name in planned().plan.backend.env_file if name.startswith(("VENOM", "OLLAMA"))]
    before = receipt(planned())
    before["applied"]["declaration"] = {f"environment.{name}_{at}": "x" for name in names for at in range(9)}
    found = shown(before, planned("vram_tier: low-vram-8-12gb"))
    assert found[0].startswith("vram_tier: ")
    assert found[SHOWN].endswith("more changes of the inventory")


def test_where_nothing_was_applied_that_is_shown() -> None:
    assert shown({}, planned()) == ["nothing was applied here before"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "vram_tier: balanced-12-24gb\nmodel: gemma3:4b\nprofile: light"),
        ("vram_tier: balanced-12-24gb", "vram_tier: auto"),
        ("", "budgets: {chat_seconds: 9}"),
    ],
)
def test_the_same_in_other_words_is_the_same_generation_and_nothing_to_do(before: str, after: str) -> None:
    was, now = planned(before, card(12)).generation, planned(after, card(12)).generation
    assert now.key == was.key
    link = {"kind": "link", "target": f"{was.key}.json"}
    file = {"kind": "file", "mode": "0600", "owner": "root", "sha256": was.file.digest}
    observed = Observed(
        paths={"/etc/venom/generations/current": link, was.file.path: file},
        receipt=receipt(planned(before, card(12))),
    )
    assert now.unproven(observed) == []
    assert [it.thing for it in replace(now, stopped=("a.service",)).unproven(observed)] != []


def test_a_host_that_has_to_switch_shows_its_wave_and_one_that_has_not_does_not() -> None:
    after = planned()
    new = Assessment(after, Observed(), {}, purge=False)
    assert lines(new, "wave 2 of 3")[-1] == "switches in: wave 2 of 3"
    assert lines(new) == lines(new, "wave 2 of 3")[:-1]
