"""The plan of one host: what is declared, on the hardware it turns out to have."""

from __future__ import annotations

import json

import pytest

from schemas.data.contract import contract
from schemas.hardware import Hardware
from schemas.plan.host import describe, plan_host, to_dict
from tests.schemas.conftest import Host, card, cpu, unplannable


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


def test_an_artifact_for_the_other_architecture_only_is_refused(host: Host) -> None:
    file = f"{{url: 'https://x.example/n', sha256: {'b' * 64}}}"
    settings = f'node: {{version: "24.0.0", artifact: {{amd64: {file}}}}}'
    problem = unplannable(host, settings, Hardware("arm64", "3.12.1", 64 << 30, ()))
    assert "node 24.0.0 for arm64" in problem.found


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
