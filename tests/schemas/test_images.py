"""Images as an inventory names them: pinned by digest, or refused with the way to pin them."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.data.image_reference import Reference
from schemas.hardware import Engine
from schemas.plan.host import assumed_hardware, describe, plan_host
from tests.schemas.conftest import Host, Load, Refuse, card, cpu

DIGEST = "0123456789abcdef" * 4
IMAGE = f"docker.io/ollama/ollama@sha256:{DIGEST}"
OF_IMAGE = f'ollama: {{install: image, version: "0.24.0", image: "{IMAGE}"}}'


@pytest.mark.parametrize(
    "text",
    [
        "docker.io/ollama/ollama:0.24.0",
        IMAGE,
        f"registry.lab:5001/ollama/ollama:0.24.0@sha256:{DIGEST}",
    ],
)
def test_a_reference_is_reported_as_it_was_read(text: str) -> None:
    assert str(Reference.of(text)) == text


def test_an_image_comes_from_the_mirrors_first_and_by_its_digest_alone(host: Host) -> None:
    settings = f"""
    mirrors: {{images: ["http://registry.lab:5001/", "https://images.example.org"]}}
    ollama: {{install: image, version: "0.24.0", image: "docker.io/ollama/ollama:0.24.0@sha256:{DIGEST}"}}
    """
    plan = plan_host(host(settings), cpu(64))
    assert plan.ollama is not None
    assert plan.ollama.artifact is None
    assert plan.ollama.image is not None
    assert plan.ollama.image.places == (
        f"http://registry.lab:5001/ollama/ollama@sha256:{DIGEST}",
        f"https://images.example.org/ollama/ollama@sha256:{DIGEST}",
        f"https://docker.io/ollama/ollama@sha256:{DIGEST}",
    )


def test_the_host_decides_what_runs_it_and_which_cards_it_gets(host: Host) -> None:
    hardware = card(24)
    plan = plan_host(host(OF_IMAGE), hardware)
    assert plan.engine == Engine("podman", quadlets=True)
    assert plan.ollama is not None
    assert plan.ollama.cards == ("nvidia",)
    assumed = plan_host(host(OF_IMAGE), assumed_hardware(host(OF_IMAGE)))
    assert assumed.ollama is not None
    assert assumed.ollama.cards == ()
    assert "podman, a quadlet" in describe(plan)


def test_a_host_without_images_has_no_engine(host: Host) -> None:
    assert plan_host(host(), cpu(64)).engine is None
    assert plan_host(host(f"{OF_IMAGE}\nprofile: llm_off"), cpu(64)).engine is None


def test_an_image_by_version_is_that_of_the_pins(loaded: Load, tmp_path: Path) -> None:
    pins = tmp_path / "own.yaml"
    pins.write_text(f"images: {{ollama: {{0.24.0: '{IMAGE}'}}}}\n")
    text = f'pins: ["{pins}"]\nhosts: {{box: {{address: 192.0.2.1, ollama: {{install: image}}}}}}\n'
    box = loaded(text).host("box")
    plan = plan_host(box, cpu(64))
    assert plan.ollama is not None
    assert plan.ollama.image is not None
    assert plan.ollama.image.sha256 == DIGEST


@pytest.mark.parametrize(
    ("ollama", "found", "remedy"),
    [
        (
            "{install: image, version: 0.24.0, image: 'docker.io/ollama/ollama:0.24.0'}",
            '"docker.io/ollama/ollama:0.24.0", which has no digest',
            "python -m roles.packing.pin docker.io/ollama/ollama:0.24.0 tells the digest that it has now",
        ),
        (
            "{install: image}",
            "an image of Ollama 0.24.0: no digest is known",
            "python -m roles.packing.pin docker.io/ollama/ollama:0.24.0",
        ),
        (f"{{image: '{IMAGE}'}}", "image without install: image", "add install: image"),
        (f"{{install: image, image: '{IMAGE}'}}", "an image without a version", "version and image"),
        ("{install: image, version: 0.24.0, image: 'ollama'}", '"ollama"', "REGISTRY/PATH@sha256:DIGEST"),
        ("{install: docker}", '"docker"', "binary, image"),
        (
            f"{{install: image, version: 0.24.0, image: '{IMAGE}', artifact: {{url: 'https://x.example/a'}}}}",
            "artifact with install: image",
            "image, or install: binary",
        ),
    ],
)
def test_what_cannot_be_an_image_is_reported_with_the_remedy(
    refused: Refuse, ollama: str, found: str, remedy: str
) -> None:
    problems = refused(f"hosts:\n  box:\n    address: 192.0.2.1\n    ollama: {ollama}\n")
    assert [it.found for it in problems] == [found]
    assert remedy in str(problems[0])
