"""Venom by image: what an inventory may say of it, and what becomes of that in a plan."""

from __future__ import annotations

import pytest

from schemas.plan.compare import changes
from schemas.plan.host import describe, plan_host, to_dict
from schemas.reading.problem import Problem
from tests.schemas.conftest import Host, Refuse, card

A, B = "a" * 64, "b" * 64
BACKEND = f"registry.example.org/venom-backend-light:v1.9.0@sha256:{A}"
FRONTEND = f"registry.example.org/venom-frontend@sha256:{B}"
IMAGES = f"venom: {{install: image, images: {{backend: '{BACKEND}', frontend: '{FRONTEND}'}}}}"


def _refused(refused: Refuse, settings: str) -> list[Problem]:
    return refused(f"hosts:\n  box:\n    address: 192.0.2.1\n    {settings}\n")


def test_each_image_is_pulled_by_its_digest_from_the_mirror_first(host: Host) -> None:
    plan = plan_host(host(f"{IMAGES}\nmirrors: {{images: ['http://192.0.2.9:5001']}}"), card(16))
    assert plan.images is not None
    assert plan.images.backend.places == (
        f"http://192.0.2.9:5001/venom-backend-light@sha256:{A}",
        f"https://registry.example.org/venom-backend-light@sha256:{A}",
    )
    assert (plan.images.frontend.sha256, plan.images.frontend.version) == (B, "v1.9.0")
    assert plan.engine is not None, "its host needs something that runs containers"


def test_what_the_images_hold_is_no_part_of_what_is_applied(host: Host) -> None:
    plan = plan_host(host(IMAGES), card(16))
    assert not {"requirements", "python", "uv", "node"} & set(to_dict(plan))
    assert plan.ui.build_env == {}
    assert plan.notes == ()
    assert "image sha256 aaaaaaaaaaaa…" in describe(plan)


def test_settings_services_and_tier_are_those_of_a_host_that_makes_venom(host: Host) -> None:
    made, by_image = plan_host(host(), card(16)), plan_host(host(IMAGES), card(16))
    assert (by_image.profile, by_image.services, by_image.vram_tier) == (
        made.profile,
        made.services,
        made.vram_tier,
    )
    assert (by_image.backend, by_image.door) == (made.backend, made.door)
    assert by_image.ui.run_env == made.ui.run_env


def test_a_change_of_image_is_reported_by_its_digest(host: Host) -> None:
    before, after = host(IMAGES), host(IMAGES.replace(A, "c" * 64))
    changed = changes(to_dict(plan_host(before, card(16))), to_dict(plan_host(after, card(16))))
    assert changed["images.backend.sha256"] == f"{A} -> {'c' * 64}"


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ("python: {version: 3.12.14}", "python is declared, but the image has its own"),
        ("environment: {NEXT_PUBLIC_ENV: staging}", "NEXT_PUBLIC_ENV is compiled into the UI's image"),
        ("ports: {backend: 8100}", "only the door uses another"),
    ],
)
def test_what_only_a_build_could_heed_is_reported(host: Host, settings: str, note: str) -> None:
    plan = plan_host(host(f"{IMAGES}\n{settings}"), card(16))
    assert [note in it for it in plan.notes] == [True]


def test_an_image_without_a_digest_is_refused_with_the_way_to_one(refused: Refuse) -> None:
    tagged = IMAGES.replace(f"@sha256:{A}", "")
    (problem,) = _refused(refused, tagged)
    assert problem.path == "hosts.box.venom.images.backend"
    assert problem.found == '"registry.example.org/venom-backend-light:v1.9.0", which has no digest'
    assert "python -m roles.packing.pin registry.example.org/venom-backend-light:v1.9.0" in problem.hint


def test_a_release_whose_images_nobody_has_pinned_is_refused_for_both(refused: Refuse) -> None:
    backend, frontend = _refused(refused, "venom: {install: image, release: v1.9.0}")
    assert backend.allowed == "an image of venom-backend-light v1.9.0, by digest"
    assert frontend.allowed == "an image of venom-frontend v1.9.0, by digest"
    assert "venom-backend-light under images in a file of pins" in backend.hint


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        (IMAGES.replace("install: image, ", ""), "venom.images"),
        (IMAGES.replace("install: image", "install: image, tree: ../venom"), "venom.tree"),
        (IMAGES.replace("install: image", f"install: image, commit: {'0' * 40}"), "venom.commit"),
        (f"{IMAGES}\n    development: {{tree: /home/ada/Venom, user: ada}}", "development"),
        (IMAGES.replace("install: image", "install: image, release: v0.1.0"), "venom.release"),
        (IMAGES.replace("install: image", "install: container"), "venom.install"),
    ],
)
def test_what_does_not_go_with_images_is_refused(refused: Refuse, settings: str, path: str) -> None:
    assert f"hosts.box.{path}" in [it.path for it in _refused(refused, settings)]
