"""Migration: an older installation, looked at by the script that hosts run, becomes a sound inventory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine import remote
from lab.state import REPOSITORY
from roles.migration.deploy import SCRIPTS, checked
from roles.migration.drawn import Drawn, draw
from roles.migration.installation import Installation, request
from schemas.data.contract import contract
from schemas.data.pins import Pins
from schemas.data.pins import load as load_pins

MARKER = "sk-marker-of-this-test"
# Lines of Venom's own examples: .env.example of v1.6.0, .env.dev.example of v1.9.0.
EXAMPLES = {
    "v1.6.0": (
        ".env",
        "# Venom\nENV=development\nURL_SCHEME_POLICY=auto\nVENOM_RUNTIME_PROFILE=light\nACTIVE_LLM_SERVER=\n"
        "LLM_LOCAL_ENDPOINT=http://localhost:11434/v1\nLLM_MODEL_NAME=llama3\nLLM_LOCAL_API_KEY=venom-local\n"
        "LLM_WARMUP_MAX_TOKENS=8\nLLM_KEEP_ALIVE=5m\nVENOM_OLLAMA_PROFILE=balanced-12-24gb\n"
        "OLLAMA_CONTEXT_LENGTH=0\nOLLAMA_START_COMMAND=\nSUMMARY_STRATEGY=llm_with_fallback\n"
        "OPENAI_API_KEY=\nHIVE_REGISTRATION_TOKEN=\n",
    ),
    "v1.9.0": (
        ".env.dev",
        "ENV=development\nURL_SCHEME_POLICY=auto\nENVIRONMENT_ROLE=dev\nVENOM_RUNTIME_PROFILE=full\n"
        "ACTIVE_LLM_SERVER=\nLLM_LOCAL_ENDPOINT=http://localhost:11434/v1\nLLM_MODEL_NAME=gemma3:4b\n"
        "LLM_LOCAL_API_KEY=venom-local\nLLM_WARMUP_MAX_TOKENS=8\nLLM_KEEP_ALIVE=-1\n"
        "VENOM_OLLAMA_PROFILE=balanced-12-24gb\nOLLAMA_CONTEXT_LENGTH=0\nOLLAMA_START_COMMAND=\n"
        "SUMMARY_STRATEGY=llm_with_fallback\nOPENAI_API_KEY=\nHIVE_REGISTRATION_TOKEN=\n",
    ),
}


class Checkout:
    """A checkout of Venom as a user has it: a git repository, settings copied from the example."""

    def __init__(self, path: Path, release: str) -> None:
        self.path, self.release = path, release
        name, self.example = EXAMPLES[release]
        self.settings = path / name
        (path / "venom_core").mkdir(parents=True)
        (path / "venom_core" / "main.py").write_text("app = None\n")
        (path / "pyproject.toml").write_text(f'[project]\nname = "venom"\nversion = "{release[1:]}"\n')
        (path / ".gitignore").write_text(".env\n.env.dev\ndata/memory/\nworkspace/\n.venv/\n")
        (path / f"{name}.example").write_text(self.example)
        (path / "data" / "prompts").mkdir(parents=True)
        (path / "data" / "prompts" / "a.txt").write_text("part of the code\n")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", f"https://ada:{MARKER}@git.example.org/venom.git")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Venom")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        done = subprocess.run(
            ["git", *who, "-C", str(self.path), *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def set(self, **values: str) -> None:
        """Copy the example, with these values instead of its own."""
        lines = [f"{name}={value}" for name, value in values.items()]
        others = [it for it in self.example.splitlines() if it.partition("=")[0] not in values]
        self.settings.write_text("\n".join([*others, *lines]) + "\n")

    def put(self, path: str, text: str = "content\n", days: float = 0) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (time.time() - days * 86400,) * 2)


@pytest.fixture(params=list(EXAMPLES))
def venom(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    """A checkout of an old and of a newer release."""
    checkout = Checkout(tmp_path / "Venom", request.param)
    checkout.set()
    return checkout


def pins_of(venom: Checkout) -> Pins:
    """The product's pins, with this checkout's commit as that of its release."""
    pins, _ = load_pins()
    assert pins is not None
    commit = venom.git("rev-parse", "HEAD")
    releases = {
        name: it if name != venom.release else type(it)(**{**vars(it), "commit": commit})
        for name, it in pins.releases.items()
    }
    return type(pins)(**{**vars(pins), "releases": releases})


def answer(venom: Checkout) -> str:
    """What the script says of it, run as on a host."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", remote.script("see.py", SCRIPTS)],
        input=request(str(venom.path)),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def drawn(venom: Checkout) -> Drawn:
    """The inventory for it, which our own validation has nothing against."""
    installation = Installation.of(answer(venom))
    assert installation.there
    it = draw(installation, "box", {"address": "192.0.2.10", "ssh": {"user": "root"}}, pins_of(venom))
    data: Mapping[str, Any] = yaml.safe_load(it.text)
    assert data == {"hosts": {"box": it.host}}
    checked(it)
    return it


def notes(it: Drawn, about: str) -> str:
    """The remarks that begin so."""
    return "\n".join(note for note in it.notes if note.startswith(about))


def test_an_untouched_installation_is_its_release_profile_and_model(venom: Checkout) -> None:
    it = drawn(venom)
    assert it.host["venom"] == {"release": venom.release}
    assert it.host["profile"] == {"v1.6.0": "light", "v1.9.0": "full"}[venom.release]
    assert {"environment", "secrets", "ports", "vram_tier"} & set(it.host) == set()
    text = notes(it, "settings that equal the example")
    assert "ENV, URL_SCHEME_POLICY" in text
    assert "LLM_KEEP_ALIVE" in text


def test_a_model_without_a_pinned_digest_is_named(venom: Checkout) -> None:
    venom.set(LLM_MODEL_NAME="llama3")
    it = drawn(venom)
    assert "model" not in it.host
    assert "'llama3' has no pinned digest" in notes(it, "model")


def test_what_somebody_chose_is_carried_over(venom: Checkout) -> None:
    venom.set(
        VENOM_RUNTIME_PROFILE="light",
        VENOM_OLLAMA_PROFILE="low-vram-8-12gb",
        OLLAMA_MODEL='"gemma3:12b"',
        OLLAMA_CONTEXT_LENGTH="8192   # tokens",
        OLLAMA_FLASH_ATTENTION="false",
        LLM_KEEP_ALIVE="1h",
    )
    host = drawn(venom).host
    assert host["profile"] == "light"
    assert host["vram_tier"] == "low-vram-8-12gb"
    assert host["model"] == "gemma3:12b"
    environment = {"OLLAMA_CONTEXT_LENGTH": "8192", "OLLAMA_FLASH_ATTENTION": "0", "LLM_KEEP_ALIVE": "1h"}
    assert host["environment"] == environment


def test_no_local_server_is_the_profile_without_one(venom: Checkout) -> None:
    venom.set(ACTIVE_LLM_SERVER="none")
    assert drawn(venom).host["profile"] == "llm_off"


def test_what_is_no_value_or_no_name_of_the_contract_is_named_and_left_out(venom: Checkout) -> None:
    venom.set(
        VENOM_RUNTIME_PROFILE="tiny",
        VENOM_OLLAMA_PROFILE="huge",
        LLM_KEEP_ALIVE="for ever",
        SUMMARY_STRATEGY="heuristic_only",
        OLLAMA_START_COMMAND="/opt/start",
    )
    it = drawn(venom)
    assert it.host["profile"] == "light"
    assert "environment" not in it.host
    assert notes(it, "profile: 'tiny' is none of the contract's")
    assert notes(it, "vram_tier: 'huge' is none of the contract's")
    assert notes(it, "LLM_KEEP_ALIVE: 'for ever' is not a duration")
    assert notes(it, "OLLAMA_START_COMMAND: systemd decides it here")
    assert "SUMMARY_STRATEGY" in notes(it, "settings that the inventory has no name for")


def test_secrets_are_named_and_never_leave_the_host(venom: Checkout) -> None:
    venom.set(
        OPENAI_API_KEY=MARKER,
        GOOGLE_API_KEY=f"'{MARKER}'",
        HIVE_REGISTRATION_TOKEN=MARKER,
        HIVE_URL=f"https://ada:{MARKER}@hive.example.org",
    )
    assert MARKER not in answer(venom)
    it = drawn(venom)
    assert it.host["secrets"] == {
        "GOOGLE_API_KEY": "env:GOOGLE_API_KEY",
        "OPENAI_API_KEY": "env:OPENAI_API_KEY",
    }
    assert "HIVE_REGISTRATION_TOKEN" in notes(it, "secrets without a name in the inventory")
    assert "LLM_LOCAL_API_KEY" not in it.text, "the example's own is no secret of anybody's"
    assert MARKER not in it.text


def test_every_secret_of_the_contract_is_kept_back(venom: Checkout) -> None:
    venom.set(**dict.fromkeys(contract().secret(), MARKER))
    assert MARKER not in answer(venom)
    assert set(drawn(venom).host["secrets"]) == set(contract().secret())


def test_another_commit_is_taken_by_its_digest_without_the_login_of_its_server(venom: Checkout) -> None:
    pins = pins_of(venom)
    (venom.path / "venom_core" / "main.py").write_text("app = 1\n")
    venom.git("commit", "--quiet", "--all", "--message", "mine")
    installation = Installation.of(answer(venom))
    it = draw(installation, "box", {"address": "192.0.2.10"}, pins)
    assert it.host["venom"] == {
        "commit": venom.git("rev-parse", "HEAD"),
        "git": "https://git.example.org/venom.git",
    }
    assert "is none of the pinned releases" in notes(it, "venom")
    checked(it)


def test_changes_of_the_code_are_reported(venom: Checkout) -> None:
    (venom.path / "venom_core" / "main.py").write_text("app = 1\n")
    assert "1 file of the code changed since the commit" in notes(drawn(venom), "venom")


def test_data_are_reported_with_how_to_copy_them_so_that_venom_does_not_delete_them(venom: Checkout) -> None:
    venom.put("data/memory/chat.json", days=20)
    venom.put("data/memory/new.json")
    venom.put("workspace/a/b.txt", days=8)
    text = notes(drawn(venom), "data")
    assert (
        "data (2 files, 0 kB, older than a week: 1) and workspace (1 file, 0 kB, older than a week: 1)"
        in text
    )
    assert "with new times" in text
    target = venom.path / "copy"
    target.mkdir()
    command = f"cp --recursive {venom.path}/data/. /var/lib/venom/data/"
    assert command in text
    subprocess.run(command.replace("/var/lib/venom/data", str(target)).split(), check=True)
    assert (target / "memory" / "chat.json").stat().st_mtime > time.time() - 3600


def test_heavy_packages_are_named_with_their_tier(venom: Checkout) -> None:
    for name in ("onnxruntime_genai-0.4.0", "faster_whisper-1.1", "fastapi-0.128"):
        venom.put(f".venv/lib/python3.12/site-packages/{name}.dist-info/METADATA")
    assert "extras: [onnx-cpu, onnx-extras]" in notes(drawn(venom), "requirements")


def test_a_compose_file_shows_ports_and_that_its_volumes_are_kept(venom: Checkout) -> None:
    venom.settings.unlink()
    venom.put("compose/.env", "VENOM_RUNTIME_PROFILE=llm_off\n")
    venom.put(
        "compose/compose.release.yml",
        'services:\n  backend:\n    ports:\n      - "127.0.0.1:9000:8000"\n  frontend:\n    ports:\n'
        '      - "3000:3000"\n    volumes:\n      - venom-data:/app/data\n',
    )
    it = drawn(venom)
    assert it.host["profile"] == "llm_off"
    assert it.host["ports"] == {"backend": 9000}
    assert "without -v, which would delete the data" in notes(it, "containers")


@contextmanager
def running(folder: Path, name: str) -> Iterator[None]:
    """A process of this name that works in the folder."""
    process = subprocess.Popen(["bash", "-c", f"exec -a '{name}' sleep 60"], cwd=folder)
    try:
        while b"sleep" not in Path(f"/proc/{process.pid}/comm").read_bytes():
            assert process.poll() is None
            time.sleep(0.01)
        yield
    finally:
        process.kill()
        process.wait()


def test_what_runs_from_it_is_reported_with_its_port(venom: Checkout, tmp_path: Path) -> None:
    command = "python -m uvicorn venom_core.main:app --host 0.0.0.0 --port 8123"
    with running(tmp_path, command):
        assert "ports" not in drawn(venom).host, "another one's"
    with running(venom.path, command):
        it = drawn(venom)
    assert it.host["ports"] == {"backend": 8123}
    assert "(backend): stop it before the first run" in notes(it, f"what runs from {venom.path}")


def test_looking_changes_nothing(venom: Checkout) -> None:
    venom.put("data/memory/chat.json", days=20)

    def files() -> dict[str, tuple[int, int]]:
        found = [it for it in venom.path.rglob("*") if it.is_file()]
        return {str(it): (it.stat().st_mtime_ns, it.stat().st_size) for it in found}

    # So that git would have a reason to refresh its index.
    os.utime(venom.path / "venom_core" / "main.py")
    before = files()
    answer(venom)
    assert files() == before


def test_the_command_prints_the_inventory_alone_on_standard_output(tmp_path: Path) -> None:
    venom = Checkout(tmp_path / "Venom", "v1.9.0")
    venom.set(OPENAI_API_KEY=MARKER)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pyinfra")), "-y", "-vvv", "@local", "deploy/migration.py"]
        + ["--data", f"tree={venom.path}"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"# Venom in {venom.path}, run by its Makefile, settings of .env.dev.\n")
    (host,) = yaml.safe_load(done.stdout)["hosts"].values()
    assert host["address"] == "@local"
    assert MARKER not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("data", "required"),
    [
        ([], "required  the folder of the old checkout"),
        (["--data", "tree=/etc"], "required  a checkout of Venom in /etc"),
    ],
)
def test_where_there_is_none_it_says_what_to_do(data: list[str], required: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pyinfra")), "-y", "@local", "deploy/migration.py", *data],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert required in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
