"""The plan of one host: what is declared, on the hardware it turns out to have."""

from __future__ import annotations

import json

import pytest

from schemas.data.contract import contract
from schemas.hardware import Gpu, Hardware
from schemas.plan.host import assumed_hardware, describe, plan_host, to_dict
from schemas.plan.memory import GIB, kv_cache
from schemas.reading.problem import PlanError, Problem
from tests.schemas.conftest import Host, card, cpu

LOW = "vram_tier: low-vram-8-12gb"
BALANCED = "vram_tier: balanced-12-24gb"


def _refused(host: Host, settings: str, hardware: Hardware) -> Problem:
    with pytest.raises(PlanError) as caught:
        plan_host(host(settings), hardware)
    (problem,) = caught.value.problems
    return problem


def test_a_card_without_memory_of_its_own_is_sized_by_main_memory(host: Host) -> None:
    gpu = Gpu("nvidia", "NVIDIA GB10", 120 * GIB, "580.126.09", "12.1", unified=True)
    declared = host("vram_tier: auto\nmodel: auto")
    plan = plan_host(declared, Hardware("arm64", "", 120 * GIB, (gpu,)))
    assert (plan.vram_tier and plan.vram_tier.name, plan.model and plan.model.name) == (
        "max-context-24gb-plus",
        "gemma3:27b",
    )
    assert [it for it in plan.notes if it.startswith("NVIDIA GB10 has no memory of its own")]
    # What the rest needs is not the card's.
    problem = _refused(host, f"model: gemma3:27b\n{BALANCED}", Hardware("arm64", "", 12 * GIB, (gpu,)))
    assert "main memory, in which NVIDIA GB10 computes, without what the rest needs" in problem.allowed


def test_a_host_that_says_nothing_gets_the_contracts_defaults(host: Host) -> None:
    plan = plan_host(host(), card(16))
    assert (plan.profile, plan.services) == ("light", ("backend", "ui", "ollama"))
    assert plan.model is not None
    assert plan.model.name == "gemma3:4b"
    assert plan.vram_tier is not None
    assert plan.vram_tier.name == "balanced-12-24gb"
    assert plan.source.release == "v1.9.0"
    assert plan.requirements.files == ("requirements.txt",)
    assert plan.requirements.add == (), "what start-up needs beyond the files is the audit's to say"
    assert plan.notes == ()


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


def test_what_the_unit_exports_is_only_what_is_read_at_import(host: Host) -> None:
    plan = plan_host(host(), card(16))
    assert plan.backend.process_env == {
        "ENV_FILE": "/var/lib/venom/venom.env",
        "ENV": "production",
        "URL_SCHEME_POLICY": "force_http",
        "ENVIRONMENT_ROLE": "dev",
        "STORAGE_PREFIX": "",
    }
    assert not set(plan.backend.process_env) & set(plan.backend.env_file)


@pytest.mark.parametrize("profile", ["light", "llm_off", "full"])
def test_every_profile_manages_the_same_keys_so_that_a_change_leaves_none_behind(
    host: Host, profile: str
) -> None:
    keys = set(plan_host(host(), card(16)).backend.env_file)
    assert set(plan_host(host(f"profile: {profile}"), card(16)).backend.env_file) == keys


def test_llm_off_has_no_ollama_at_all_and_says_what_a_chat_needs(host: Host) -> None:
    plan = plan_host(host("profile: llm_off"), cpu(1))
    assert (plan.services, plan.ollama, plan.model, plan.vram_tier) == (("backend", "ui"), None, None, None)
    assert plan.backend.env_file["ACTIVE_LLM_SERVER"] == "none"
    assert plan.backend.env_file["LLM_WARMUP_ON_STARTUP"] == "false"
    assert any("OPENAI_API_KEY" in note for note in plan.notes)


def test_llm_off_asks_the_cloud_whose_key_is_given(host: Host) -> None:
    settings = "profile: llm_off\nsecrets: {GOOGLE_API_KEY: env:KEY}"
    plan = plan_host(host(settings, {"KEY": "hunter2"}), cpu(1))
    assert plan.backend.env_file["LLM_SERVICE_TYPE"] == "google"
    assert plan.backend.env_file["AI_MODE"] == "CLOUD"
    assert plan.notes == ()


def test_ports_reach_everything_that_names_them(host: Host) -> None:
    plan = plan_host(host("ports: {backend: 8100, ui: 3100, ollama: 11500}"), card(16))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_HOST"] == "127.0.0.1:11500"
    assert plan.backend.env_file["LLM_LOCAL_ENDPOINT"] == "http://127.0.0.1:11500/v1"
    assert plan.ui.build_env["API_PROXY_TARGET"] == "http://127.0.0.1:8100"
    assert plan.ui.run_env["PORT"] == "3100"
    assert plan.ui.run_env["HOSTNAME"] == "127.0.0.1"


def test_overrides_beat_the_tier_and_zero_means_the_tier(host: Host) -> None:
    settings = """
    environment:
      OLLAMA_CONTEXT_LENGTH: 8192
      OLLAMA_NUM_PARALLEL: 0
      OLLAMA_KV_CACHE_TYPE: ""
      OLLAMA_NO_CLOUD: false
    """
    plan = plan_host(host(settings), card(16))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_CONTEXT_LENGTH"] == "8192"
    assert plan.ollama.env["OLLAMA_NUM_PARALLEL"] == "2"
    assert plan.ollama.env["OLLAMA_KV_CACHE_TYPE"] == "q8_0"
    assert plan.ollama.env["OLLAMA_NO_CLOUD"] == plan.backend.env_file["OLLAMA_NO_CLOUD"] == "0"


def test_a_quantized_cache_without_flash_attention_is_refused(host: Host) -> None:
    settings = "environment: {OLLAMA_FLASH_ATTENTION: 0}"
    assert _cache(host, settings) == "f16"
    with pytest.raises(Exception, match="with OLLAMA_FLASH_ATTENTION off"):
        host("environment: {OLLAMA_FLASH_ATTENTION: 0, OLLAMA_KV_CACHE_TYPE: q8_0}")


def _cache(host: Host, settings: str) -> str:
    plan = plan_host(host(settings), card(16))
    assert plan.ollama is not None
    return plan.ollama.env["OLLAMA_KV_CACHE_TYPE"]


def test_a_12b_does_not_fit_a_12_gb_card_in_the_balanced_tier(host: Host) -> None:
    problem = _refused(host, f"model: gemma3:12b\n{BALANCED}", card(11.5))
    assert "needs 11.72 GiB" in problem.found
    assert "11.50 GiB" in problem.allowed
    assert problem.hint == "the largest that fits: model: gemma3:4b"


def test_the_same_12b_fits_where_the_card_or_the_tier_allows_it(host: Host) -> None:
    assert plan_host(host(f"model: gemma3:12b\n{BALANCED}"), card(16)).model
    assert plan_host(host(f"model: gemma3:12b\n{LOW}"), card(11.5)).model


def test_a_host_without_a_card_needs_main_memory_instead(host: Host) -> None:
    assert plan_host(host(f"model: gemma3:270m\n{LOW}"), cpu(4)).model
    problem = _refused(host, f"model: gemma3:4b\n{LOW}", cpu(4))
    assert "main memory" in problem.allowed
    assert problem.hint == "the largest that fits: model: gemma3:1b"
    assert "llm_off" in _refused(host, LOW, cpu(1)).hint


@pytest.mark.parametrize(
    ("vram", "tier", "model"),
    [
        (6, "low-vram-8-12gb", "gemma3:4b"),
        (8, "low-vram-8-12gb", "gemma3:4b"),
        (11.5, "balanced-12-24gb", "gemma3:4b"),
        (16, "balanced-12-24gb", "gemma3:12b"),
        (23.5, "max-context-24gb-plus", "gemma3:27b"),
        (80, "max-context-24gb-plus", "gemma3:27b"),
    ],
)
def test_auto_takes_the_cards_tier_and_the_largest_model_that_fits(
    host: Host, vram: float, tier: str, model: str
) -> None:
    plan = plan_host(host("vram_tier: auto\nmodel: auto"), card(vram))
    assert plan.vram_tier is not None
    assert plan.model is not None
    assert (plan.vram_tier.name, plan.model.name) == (tier, model)


def test_two_cards_are_counted_together(host: Host) -> None:
    one = card(12)
    two = Hardware("amd64", "", one.memory_bytes, one.gpus * 2)
    assert plan_host(host("vram_tier: auto\nmodel: gemma3:27b"), two).model


def test_before_a_connection_only_what_no_card_of_the_tier_can_do_is_refused(host: Host) -> None:
    declared = host(f"model: gemma3:12b\n{BALANCED}")
    plan = plan_host(declared, assumed_hardware(declared))
    assert any("refused on a host that has less" in note for note in plan.notes)
    with pytest.raises(Exception, match="the largest that fits: model: gemma3:12b"):
        host(f"model: gemma3:27b\n{LOW}")
    declared = host("vram_tier: auto\nmodel: gemma3:27b")
    assert any("vram_tier auto" in n for n in plan_host(declared, assumed_hardware(declared)).notes)


def test_a_context_beyond_the_model_is_capped_for_server_and_backend(host: Host) -> None:
    settings = "model: gemma3:1b\nvram_tier: max-context-24gb-plus"
    plan = plan_host(host(settings), card(24))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_CONTEXT_LENGTH"] == "32768"
    assert plan.backend.env_file["OLLAMA_CONTEXT_LENGTH"] == "32768"
    assert any("65536" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("release", "own", "version", "pinned"),
    [
        ("v1.9.0", "3.11.2", "3.12.14", True),
        ("v1.9.0", "3.12.3", "3.12.3", False),
        ("v1.9.0", "3.13.5", "3.12.14", True),
        ("v1.9.0", "", "3.12.14", True),
        ("v1.7.0", "3.11.2", "3.12.14", True),
        ("v1.6.0", "3.11.2", "3.11.2", False),
        ("v1.6.0", "3.10.12", "3.12.14", True),
        ("v1.5.0", "3.11.2", "3.11.2", False),
        ("v1.5.0", "3.13.5", "3.12.14", True),
    ],
)
def test_the_hosts_own_python_is_used_where_the_release_runs_on_it(
    host: Host, release: str, own: str, version: str, pinned: bool
) -> None:
    plan = plan_host(host(f"venom: {{release: {release}}}"), card(16, python=own))
    assert (plan.python.version, plan.python.artifact is not None) == (version, pinned)


def test_a_python_that_is_asked_for_is_taken(host: Host) -> None:
    plan = plan_host(host('python: {version: "3.12.14"}'), card(16, python="3.12.3"))
    assert plan.python.artifact is not None


def test_requirements_are_the_files_of_that_release(host: Host) -> None:
    def files(settings: str) -> tuple[str, ...]:
        return plan_host(host(settings), card(16)).requirements.files

    old = "venom: {release: v1.6.0}\nrequirements: {tier: ollama}"
    assert files(old) == ("requirements-profile-ollama.txt",)
    assert files("requirements: {tier: ollama}") == ("requirements.txt",)
    # Where requirements.txt was still the full stack, the default is the set of the image.
    oldest = "venom: {release: v1.5.0}"
    assert files(oldest) == ("requirements-docker-minimal.txt",)
    assert files(f"{oldest}\nprofile: full\nrequirements: {{tier: full}}") == ("requirements.txt",)
    full = "profile: full\nrequirements: {tier: web, extras: [onnx-cpu, onnx-extras]}"
    assert files(full) == (
        "requirements-profile-web.txt",
        "requirements-profile-onnx-cpu.txt",
        "requirements-extras-onnx.txt",
    )


def test_mirrors_come_before_upstream_and_keep_its_paths(host: Host) -> None:
    plan = plan_host(host('mirrors: {files: ["http://a.example:8080/", "http://b.example"]}'), cpu(16))
    assert plan.python.artifact is not None
    upstream = plan.python.artifact.urls[-1]
    assert "%2B" in upstream
    path = upstream.removeprefix("https://")
    assert plan.python.artifact.urls == (
        f"http://a.example:8080/{path}",
        f"http://b.example/{path}",
        upstream,
    )
    assert "+" in plan.python.artifact.filename


@pytest.mark.parametrize(
    ("registry", "name", "insecure"),
    [
        ("", "gemma3:4b", False),
        ("10.0.0.1:5000", "10.0.0.1:5000/library/gemma3:4b", True),
        ("http://m.example:5000/", "m.example:5000/library/gemma3:4b", True),
        ("https://m.example", "m.example/library/gemma3:4b", False),
    ],
)
def test_a_registry_of_ones_own_is_part_of_the_models_name(
    host: Host, registry: str, name: str, insecure: bool
) -> None:
    settings = f'mirrors: {{ollama: "{registry}"}}' if registry else ""
    model = plan_host(host(settings), card(16)).model
    assert model is not None
    assert (model.pull_name, model.insecure, model.name) == (name, insecure, "gemma3:4b")


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


def test_an_artifact_for_the_other_architecture_only_is_refused(host: Host) -> None:
    file = f"{{url: 'https://x.example/n', sha256: {'b' * 64}}}"
    settings = f'node: {{version: "24.0.0", artifact: {{amd64: {file}}}}}'
    problem = _refused(host, settings, Hardware("arm64", "3.12.1", 64 << 30, ()))
    assert "node 24.0.0 for arm64" in problem.found


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


def test_names_without_effect_on_a_host_are_reported(host: Host) -> None:
    plan = plan_host(host("environment: {OLLAMA_HOST: 0.0.0.0}"), card(16))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_HOST"] == "127.0.0.1:11434"
    assert plan.notes == ("OLLAMA_HOST concerns only container: no effect here",)


def test_development_changes_what_runs_and_nothing_that_is_built(host: Host) -> None:
    work = "development: {tree: /home/ada/Venom, user: ada}"
    plan, other = plan_host(host(work), card(16)), plan_host(host(), card(16))
    assert plan.development is not None
    assert (plan.development.tree, plan.development.user) == ("/home/ada/Venom", "ada")
    assert other.development is None
    assert plan.backend.process_env["ENV"] == "development"
    assert plan.backend.process_env["ENV_FILE"] == "/var/lib/venom-development/venom.env"
    assert plan.ui.run_env["NODE_ENV"] == plan.ui.run_env["NEXT_PUBLIC_ENV"] == "development"
    assert plan.ui.build_env == other.ui.build_env
    assert plan.backend.env_file == other.backend.env_file
    assert (plan.source, plan.requirements) == (other.source, other.requirements)
    assert "/home/ada/Venom as ada" in describe(plan)


def test_a_name_for_development_takes_effect_there_alone(host: Host) -> None:
    setting = "environment: {NEXT_DISABLE_TURBOPACK: false, ENV: staging}"
    plan = plan_host(host(setting), card(16))
    assert plan.notes == ("NEXT_DISABLE_TURBOPACK concerns only development: no effect here",)
    assert "NEXT_DISABLE_TURBOPACK" not in plan.ui.run_env
    plan = plan_host(host(f"{setting}\ndevelopment: {{tree: /home/ada/Venom, user: ada}}"), card(16))
    assert plan.notes == ()
    assert plan.ui.run_env["NEXT_DISABLE_TURBOPACK"] == "0"
    assert plan.backend.process_env["ENV"] == "staging", "what the inventory says wins"


def test_the_same_declaration_and_hardware_give_the_same_data(host: Host) -> None:
    plans = [to_dict(plan_host(host("profile: full"), card(16))) for _ in range(2)]
    assert json.dumps(plans[0]) == json.dumps(plans[1])


def test_a_plan_shows_references_and_never_a_secret(host: Host) -> None:
    settings = """
    secrets:
      OPENAI_API_KEY: env:KEY
      HF_TOKEN: "command:echo hunter3"
    """
    declared = host(settings, {"KEY": "hunter2"})
    plan = plan_host(declared, card(16))
    shown = describe(plan) + json.dumps(to_dict(plan)) + repr(plan.backend.env_file)
    assert "hunter" not in shown
    assert "OPENAI_API_KEY=env:KEY" in shown
    assert "HF_TOKEN=command:echo …" in shown
    assert "hunter" not in json.dumps(declared.to_json())


def test_a_card_below_its_tier_serves_what_fits_and_that_is_reported(host: Host) -> None:
    plan = plan_host(host(BALANCED), card(8))
    assert plan.model is not None
    assert plan.notes == ("balanced-12-24gb is meant for at least 11.50 GiB of VRAM; this host has 8.00 GiB",)


def test_every_name_of_the_contract_can_be_overridden_or_says_what_decides_it(host: Host) -> None:
    samples = {
        "integer": "4",
        "number": "0.5",
        "boolean": "false",
        "flag": "false",
        "url": "http://x.example/y",
        "duration": "7m",
        "string": "some",
    }
    for name, variable in contract().variables.items():
        if variable.secret or variable.fixed_by or name == "ACTIVE_LLM_SERVER":
            continue
        value = variable.values[-1] if variable.values else samples[variable.type]
        plan = plan_host(host(f"environment: {{{name}: '{value}'}}"), card(24))
        assert plan.ollama is not None
        everywhere = {
            "backend-process": plan.backend.process_env,
            "backend-file": plan.backend.env_file,
            "ui-build": plan.ui.build_env,
            "ui-run": plan.ui.run_env,
            "ollama": plan.ollama.env,
        }
        for scope in set(variable.scope) & set(everywhere):
            expected = {"false": "0"}.get(value, value) if variable.type == "flag" else value
            assert everywhere[scope][name] == expected, (name, scope)


def test_a_host_without_a_card_keeps_each_of_venoms_prompts_read(host: Host) -> None:
    plan = plan_host(host(f"model: gemma3:270m\n{LOW}"), cpu(8))
    assert plan.vram_tier is not None
    assert plan.ollama is not None
    assert plan.model is not None
    assert (plan.vram_tier.num_parallel, plan.vram_tier.kv_cache_type) == (3, "f16")
    assert plan.ollama.env["OLLAMA_NUM_PARALLEL"] == "3"
    assert plan.ollama.env["OLLAMA_MULTIUSER_CACHE"] == "1"
    assert plan.backend.env_file["INTENT_CLASSIFIER_TIMEOUT_SECONDS"] == "3"
    assert any(note.startswith("no card: 3 slots of KV cache f16") for note in plan.notes)
    weights = host("model: gemma3:270m").pins.weights["gemma3:270m"]
    assert plan.model.need.kv_cache == kv_cache(weights, context=16384, parallel=3, kv_type="f16")


def test_a_host_with_a_card_has_none_of_that(host: Host) -> None:
    plan = plan_host(host(f"model: gemma3:270m\n{LOW}"), card(8))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_KV_CACHE_TYPE"] == "q4_0"
    assert "OLLAMA_MULTIUSER_CACHE" not in plan.ollama.env
    assert plan.backend.env_file["INTENT_CLASSIFIER_TIMEOUT_SECONDS"] == "5"  # Venom's own


def test_without_a_card_too_the_inventory_has_the_last_word(host: Host) -> None:
    own = "OLLAMA_KV_CACHE_TYPE: q8_0, OLLAMA_NUM_PARALLEL: 1, INTENT_CLASSIFIER_TIMEOUT_SECONDS: 9"
    plan = plan_host(host(f"model: gemma3:270m\n{LOW}\nenvironment: {{{own}}}"), cpu(8))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_KV_CACHE_TYPE"] == "q8_0"
    assert plan.ollama.env["OLLAMA_NUM_PARALLEL"] == "1"
    assert "OLLAMA_MULTIUSER_CACHE" not in plan.ollama.env  # one slot has nothing to share out
    assert plan.backend.env_file["INTENT_CLASSIFIER_TIMEOUT_SECONDS"] == "9"


def test_main_memory_that_holds_only_the_tiers_values_keeps_them(host: Host) -> None:
    roomy = plan_host(host(f"model: gemma3:4b\n{LOW}"), cpu(16))
    tight = plan_host(host(f"model: gemma3:4b\n{LOW}"), cpu(roomy.model.need.total / GIB + 0.9))  # type: ignore[union-attr]
    assert tight.vram_tier is not None
    assert (tight.vram_tier.num_parallel, tight.vram_tier.kv_cache_type) == (1, "q4_0")
    assert any("the tier's values stay" in note for note in tight.notes)


def test_an_ollama_that_caches_by_itself_gets_no_setting_for_it(host: Host) -> None:
    plan = plan_host(host(f"model: gemma3:270m\n{LOW}\nollama: {{version: 0.32.15}}"), cpu(8))
    assert plan.ollama is not None
    assert "OLLAMA_MULTIUSER_CACHE" not in plan.ollama.env
    assert plan.ollama.env["OLLAMA_NUM_PARALLEL"] == "3"
