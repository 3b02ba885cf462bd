"""How two plans differ is reported by setting, and not what merely follows from it."""

from __future__ import annotations

from schemas.plan.compare import changes


def test_each_setting_that_differs_is_reported_with_both_values() -> None:
    before = {"profile": "light", "backend": {"env_file": {"A": "1", "B": "2"}}, "services": ["backend"]}
    after = {
        "profile": "llm_off",
        "backend": {"env_file": {"A": "1", "C": "3"}},
        "services": ["backend", "ui"],
    }
    assert changes(before, after) == {
        "profile": "light -> llm_off",
        "backend.env_file.B": "2 -> none",
        "backend.env_file.C": "none -> 3",
        "services": "backend -> backend, ui",
    }


def test_what_follows_from_a_version_is_not_reported_beside_it() -> None:
    before = {
        "ollama": {"version": "0.24.0", "artifact": {"sha256": "a"}, "min_driver": "531"},
        "vram_tier": None,
    }
    after = {
        "ollama": {"version": "0.32.15", "artifact": {"sha256": "b"}, "min_driver": "550"},
        "vram_tier": "",
    }
    assert changes(before, after) == {"ollama.version": "0.24.0 -> 0.32.15"}
    assert changes(before, {**after, "ollama": None}) == {"ollama": "0.24.0 -> none"}
    assert changes(before, before) == {}
