"""Ollama from a container image serves like the one from files, whatever runs the container; there and back.

Three hosts go one way side by side: Debian 13, where the run installs podman and makes a quadlet; Debian 12,
where podman gets a plain unit; and Debian 12 that runs Docker already. Each fixture is the next part.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from lab import fleet, network, upstream_images
from lab.hosts import Host
from tests.lab import comparison, provisioning, upstream_faults, visitor
from tests.lab.provisioning import Result, until
from tests.lab.serving import NAMED, Serving
from tests.lab.shared.container_hosts import (
    DOOR,
    KINDS,
    NEW,
    OLD,
    Fleet,
    Ollama,
    by_image,
    digest,
    make_trio,
    pulled,
)
from tests.lab.visitor import LIGHT, OLLAMA

_DOWN = f"{network.GATEWAY}:5009"  # nobody listens there
_NOBODYS = "0" * 64

_QUADLET = "/etc/containers/systemd/ollama.container"
_UNIT = "/etc/systemd/system/ollama.service"
_PER_KIND = pytest.mark.parametrize("kind", KINDS)

# What is ours below /etc, by its name; the packages that run containers have files there, too.
_OURS = r"venom|nginx|systemd/system/(.*/)?(venom|ollama|nginx)|containers/systemd/[^/]+\.container"
# What stays of an image where none is wanted any more, beside what a profile without a model leaves.
_STAYS = {
    f"/etc/(?!{_OURS})": "of the packages that run containers, which stay: an older generation may need them",
    r"/var/lib/ollama/models/": "weights stay, whatever the profile",
}


@pytest.fixture(scope="module")
def trio(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The three hosts, as they are before anything of theirs runs from an image."""
    return make_trio(serving, tmp_path_factory.mktemp("trio"))


@dataclass(frozen=True)
class Served:
    """From files, or from nothing, to images: the run, and the one after it."""

    started: float  # seconds since 1970
    before: Mapping[str, Mapping[str, int]]
    at_the_kill: str  # the jobs of the host whose run was killed while it pulled
    first: Result
    now: Mapping[str, Ollama]
    second: Result
    still: Mapping[str, Ollama]


@pytest.fixture(scope="module")
def served(trio: Fleet) -> Served:
    """A run is killed while it pulls, over a slow line; another brings images to all three."""
    settings = {kind: by_image() for kind in KINDS}
    started = time.time()
    before = {kind: visitor.processes(host, LIGHT) for kind, host in trio.hosts.items()}
    slow = trio.hosts["quadlet"]
    with upstream_faults.faults() as faults:
        faults.add(slow, "slow", "/ollama/ollama/blobs/")
        with provisioning.running(trio.inventory(quadlet=settings["quadlet"])) as run:
            until(lambda: "image-ollama" in visitor.jobs(slow) or run.poll() is not None)
            assert run.poll() is None, (trio.folder / "log").read_text()
        at_the_kill = visitor.jobs(slow)
        first = trio.run(**settings).check()
    now = {kind: Ollama.of(host, kind) for kind, host in trio.hosts.items()}
    second = trio.run(**settings).check()
    still = {kind: Ollama.of(host, kind) for kind, host in trio.hosts.items()}
    return Served(started, before, at_the_kill, first, now, second, still)


@_PER_KIND
def test_it_serves_from_the_image_under_the_same_unit(served: Served, trio: Fleet, kind: str) -> None:
    now = served.now[kind]
    assert now.version == OLD
    assert now.source == (_QUADLET if kind == "quadlet" else _UNIT)
    assert now.containers == ("venom-ollama",)
    assert len(now.images) == 1, "nothing else is left of the pull"
    assert now.images[0].startswith("localhost/venom/ollama:")
    files = "find /opt/ollama -type f -printf '%f\n'"
    assert trio.hosts[kind].run(files).stdout == "ollama\n", "of a release's files only the command is of use"


@_PER_KIND
def test_it_listens_on_loopback_and_may_nothing(served: Served, trio: Fleet, kind: str) -> None:
    host = trio.hosts[kind]
    assert {it for it in visitor.listening(host) if it.endswith(":11434")} == {"127.0.0.1:11434"}
    socket = host.run("ss -ltnpH 'sport = :11434'").stdout
    pid = socket.partition("pid=")[2].partition(",")[0]
    look = f"stat -c %U /proc/{pid}; grep -E '^(CapEff|NoNewPrivs):' /proc/{pid}/status"
    assert host.run(look).stdout.split() == ["ollama", "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
    written = host.run(f"touch /proc/{pid}/root/usr/anything", check=False).stderr
    assert "Read-only file system" in written


@_PER_KIND
def test_a_chat_is_answered_and_the_journal_has_it(served: Served, trio: Fleet, kind: str) -> None:
    host = trio.hosts[kind]
    assert visitor.chat(host, "Who runs you?").status == "COMPLETED"
    assert "/v1/chat/completions" in host.run("journalctl --unit ollama.service --output cat").stdout


def test_weights_that_are_there_are_not_pulled_again_and_nobody_else_is_restarted(served: Served) -> None:
    for kind in ("podman", "docker"):
        before, now = served.before[kind], served.now[kind].processes
        assert {unit for unit in LIGHT if before[unit] != now[unit]} == {"ollama.service"}
    changed = {name for host, name in served.first.changed_operations if host != "quadlet"}
    assert not any("Weights" in name for name in changed), changed


def test_a_second_run_changes_nothing(served: Served) -> None:
    assert served.second.changed_operations == []
    assert served.still == served.now


def test_a_pull_goes_on_when_its_run_is_killed_and_is_not_begun_anew(served: Served, trio: Fleet) -> None:
    assert "venom-job-image-ollama" in served.at_the_kill
    assert len(pulled(trio.hosts["quadlet"], served.started)) == 1
    assert visitor.parts(trio.hosts["quadlet"]) == ""


# -- trouble ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Troubled:
    """A run in which each host's next image has a fault of its own."""

    result: Result
    after: Mapping[str, Ollama]


@pytest.fixture(scope="module")
def troubled(served: Served, trio: Fleet) -> Troubled:
    """Wrong bytes; registries that are down or have it not; an image of another architecture."""
    foreign = next(it for it in upstream_images.prepared() if it.tag == upstream_images.OTHER_MACHINE)
    mirrors = {**fleet.default()["defaults"]["mirrors"], "images": [f"http://{_DOWN}", DOOR]}
    with upstream_faults.faults() as faults:
        faults.add(trio.hosts["quadlet"], "wrong", "/ollama/ollama/blobs/")
        result = trio.run(
            quadlet=by_image(NEW, image=f"{_DOWN}/ollama/ollama@{digest(NEW)}"),
            podman={**by_image(NEW, image=f"{_DOWN}/ollama/ollama@sha256:{_NOBODYS}"), "mirrors": mirrors},
            docker=by_image(NEW, image=foreign.reference),
        )
    return Troubled(result, {kind: Ollama.of(host, kind) for kind, host in trio.hosts.items()})


@_PER_KIND
def test_an_image_that_does_not_come_whole_leaves_the_old_one_serving(
    troubled: Troubled, served: Served, trio: Fleet, kind: str
) -> None:
    assert troubled.result.status != 0
    assert "Traceback" not in troubled.result.output
    assert troubled.after[kind] == served.now[kind]
    assert visitor.parts(trio.hosts[kind]) == ""


def test_each_place_is_reported_with_what_it_answered(troubled: Troubled) -> None:
    ending = troubled.result.endings["podman"]
    places = [f"{_DOWN}/ollama/ollama@sha256:{_NOBODYS}", f"{DOOR[7:]}/ollama/ollama@sha256:{_NOBODYS}"]
    for place in places:
        assert place in ending, ending
    assert "connection refused" in ending
    assert "manifest unknown" in ending.lower()


def test_bytes_that_are_not_the_images_are_refused(troubled: Troubled) -> None:
    ending = troubled.result.endings["quadlet"]
    assert digest(NEW) in ending
    assert "digest" in ending.lower()


def test_an_image_of_another_architecture_is_refused(troubled: Troubled) -> None:
    ending = troubled.result.endings["docker"]
    assert "arm64" in ending
    assert "amd64" in ending


# -- onward and back --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Onward:
    """A profile without a model; files again; a newer image."""

    result: Result
    described: Mapping[str, Mapping[str, str]]
    newer: Ollama


@pytest.fixture(scope="module")
def onward(troubled: Troubled, trio: Fleet) -> Onward:
    """Each of the three hosts is to be something else."""
    result = trio.run(quadlet={"profile": "llm_off"}, podman={}, docker=by_image(NEW)).check()
    described = {kind: _described(trio.hosts[kind]) for kind in ("quadlet", "podman")}
    return Onward(result, described, Ollama.of(trio.hosts["docker"], "docker"))


def test_a_newer_image_takes_the_place_of_the_old_one(onward: Onward, served: Served) -> None:
    old, new = served.now["docker"], onward.newer
    assert new.version == NEW
    assert {unit for unit in LIGHT if old.processes[unit] != new.processes[unit]} == {"ollama.service"}
    assert len(new.images) == 1
    assert new.images != old.images


def test_files_after_an_image_are_as_if_there_had_been_none(onward: Onward, serving: Serving) -> None:
    assert _differences(serving.described, onward.described["podman"]) == []


def test_a_profile_without_a_model_is_as_if_there_had_been_none(onward: Onward, serving: Serving) -> None:
    assert _differences(serving.described_off, onward.described["quadlet"]) == []


def test_somebodys_own_container_on_the_port_is_named_and_left_alone(onward: Onward, trio: Fleet) -> None:
    host = trio.hosts["quadlet"]
    image = f"{DOOR[7:]}/ollama/ollama@{digest(OLD)}"
    host.run(f"podman pull --quiet --tls-verify=false {image}")
    host.run(f"podman run --detach --name=somebodys --network=host --env=OLLAMA_HOST=127.0.0.1:11434 {image}")
    visitor.await_answer(host, f"{OLLAMA}/api/version")
    before = visitor.processes(host, LIGHT)
    result = trio.run(quadlet=by_image())
    assert result.status != 0
    assert "11434" in result.endings["quadlet"]
    assert host.run("podman ps --format '{{.Names}}'").stdout == "somebodys\n"
    assert visitor.processes(host, LIGHT) == before
    host.run("podman rm --force --time=1 somebodys")


def test_going_back_to_an_image_that_is_kept_pulls_nothing(onward: Onward, trio: Fleet) -> None:
    host, keep = trio.hosts["quadlet"], {"keep_generations": 2}
    for version in (OLD, NEW):
        trio.run(quadlet={**by_image(version), **keep}).check()
    assert visitor.fetch(host, f"{OLLAMA}/api/version").json()["version"] == NEW
    started = time.time()
    trio.run("deploy/rollback.py", quadlet={**by_image(NEW), **keep}).check()
    now = Ollama.of(host, "quadlet")
    assert now.version == OLD
    assert sum(it.startswith("localhost/venom/ollama:") for it in now.images) == 2
    assert pulled(host, started) == []


def test_removal_leaves_nothing_of_the_image(onward: Onward, trio: Fleet) -> None:
    host = trio.hosts["docker"]
    trio.run("deploy/remove.py", docker=by_image(NEW)).check()
    assert host.run("docker images --quiet; docker ps --all --quiet").stdout == ""
    assert host.run("systemctl show --value --property LoadState ollama.service").stdout == "not-found\n"
    assert host.run("ls -d /opt/venom /opt/ollama", check=False).stdout == ""
    assert host.run("systemctl is-active docker").stdout == "active\n"


# -- what is compared -------------------------------------------------------------------------------


def _described(host: Host) -> dict[str, str]:
    """How it is, but for what holds its name in the inventory."""
    return comparison.describe(host, left_out=NAMED)


def _differences(clean: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Between two hosts, of which the second had an image once."""
    expected = re.compile("|".join(("package ", *_STAYS)))
    clean, now = ({thing: it[thing] for thing in it if not expected.match(thing)} for it in (clean, now))
    return comparison.differences(clean, now)
