"""The Ollama server of a plan: its version, its environment, and what its version asks of the card."""

from __future__ import annotations

import pytest

from schemas.plan.host import plan_host
from tests.schemas.conftest import Host, card


def test_ollama_gets_numbers_and_the_backend_the_zeros_that_mean_the_tier(host: Host) -> None:
    plan = plan_host(host(), card(16))
    assert plan.ollama is not None
    assert plan.ollama.env == {
        "OLLAMA_HOST": "127.0.0.1:11434",
        "OLLAMA_MODELS": "/var/lib/ollama/models",
        "OLLAMA_CONTEXT_LENGTH": "32768",
        "OLLAMA_NUM_PARALLEL": "2",
        "OLLAMA_MAX_QUEUE": "256",
        "OLLAMA_FLASH_ATTENTION": "1",
        "OLLAMA_KV_CACHE_TYPE": "q8_0",
        "OLLAMA_LOAD_TIMEOUT": "10m",
        "OLLAMA_KEEP_ALIVE": "30m",
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_NOPRUNE": "1",
    }
    values = plan.backend.env_file
    assert values["VENOM_OLLAMA_PROFILE"] == "balanced-12-24gb"
    assert values["OLLAMA_CONTEXT_LENGTH"] == values["OLLAMA_NUM_PARALLEL"] == "0"
    assert values["OLLAMA_KV_CACHE_TYPE"] == ""


@pytest.mark.parametrize("release", ["v1.5.0", "v1.6.0", "v1.7.0"])
def test_another_ollama_than_the_release_names_is_reported_with_its_reason(host: Host, release: str) -> None:
    plan = plan_host(host(f"venom: {{release: {release}}}"), card(16))
    assert plan.ollama is not None
    assert plan.ollama.version == "0.24.0"
    assert plan.notes == (
        f"{release} names Ollama 0.16.1, but 0.24.0 is installed: no digest of 0.16.1 for Linux is known",
    )


def test_an_old_ollama_of_ones_own_is_not_given_what_it_ignores(host: Host) -> None:
    settings = f"""
    venom: {{release: v1.7.0}}
    ollama:
      version: "0.16.1"
      artifact: {{url: "https://x.example/ollama.tar.zst", sha256: {"b" * 64}}}
    """
    plan = plan_host(host(settings), card(16))
    assert plan.ollama is not None
    assert plan.ollama.artifact is not None
    assert plan.ollama.artifact.sha256 == "b" * 64
    assert "OLLAMA_NO_CLOUD" not in plan.ollama.env
    assert any("OLLAMA_NO_CLOUD" in note for note in plan.notes)


def test_the_driver_follows_the_version(host: Host) -> None:
    def driver(settings: str) -> str:
        ollama = plan_host(host(settings), card(16)).ollama
        return ollama.min_driver if ollama else ""

    assert driver("") == "531"
    assert driver('ollama: {version: "0.32.15"}') == "550"


def test_an_amd_card_is_reached_by_vulkan(host: Host) -> None:
    plan = plan_host(host(), card(16, vendor="amd"))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_VULKAN"] == "1"
