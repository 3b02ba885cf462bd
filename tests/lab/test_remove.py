"""Removal leaves a host as it was before us, whatever became of it since, but for what is the operator's."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.hosts import Host
from roles.base.deploy import PACKAGES
from tests.lab import comparison, provisioning, visitor
from tests.lab.conftest import LabHost
from tests.lab.provisioning import Result, fleet_of
from tests.lab.serving import BARE, Originals
from tests.lab.visitor import BACKEND, UI

_REMOVE = "deploy/remove.py"

# All that a host has on disk; what is left out of it beyond the usual is the system's own.
_EVERYTHING = ("/boot", "/etc", "/home", "/opt", "/root", "/srv", "/tmp", "/usr", "/var")
_LEFT_OUT = {
    r"/(var/)?tmp/systemd-private-": "of services that run",
    r"/var/(log|cache/apt|lib/apt|cache/debconf|cache/ldconfig)(/|$)": "logs and caches of the system's own",
    r"/var/lib/(systemd|dbus)(/|$)": "the system's own state",
    r".*/__pycache__(/|$)": "whoever runs Python makes it",
}

# Those of a removal with purge, in their order; after each it is killed once.
_OPERATIONS = ["Lock", "Services", "Files", "Data and weights", "Users", "Mark", "Unlock", "Audit log"]

# Somebody replaced a unit of ours by one of theirs, and wrote a drop-in for another.
_FOREIGN = "/etc/systemd/system/venom-ui.service"
_FOREIGN_TEXT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
_ENABLED = f"/etc/systemd/system/multi-user.target.wants/{Path(_FOREIGN).name}"
_DROP_IN = "/etc/systemd/system/ollama.service.d/mine.conf"


def _state(host: Host) -> dict[str, str]:
    """Everything about a host: files by content, packages, users, units, and who listens where."""
    found = comparison.describe(host, folders=_EVERYTHING, left_out=_LEFT_OUT)
    found["users"] = host.run("getent passwd; getent group").stdout
    found["unit files"] = host.run("systemctl list-unit-files --no-legend --plain").stdout
    found["ports"] = " ".join(sorted(visitor.listening(host)))
    return found


@dataclass(frozen=True)
class Story:
    """One host from bare to bare: each run, and how the host was after it."""

    bare: dict[str, str]  # with the Debian packages, and nothing else of ours
    provisioned: dict[str, str]
    dry: Result
    after_dry: dict[str, str]
    wrong: Result
    removed: Result
    foreign_runs: str
    after_removal: dict[str, str]
    audit: str
    again: Result
    after_again: dict[str, str]
    once_more: Result  # the main job, on what was kept
    answers: tuple[int, int]
    chat: str
    remembered: str  # of that chat, after it
    killed: list[str]  # the operations after which a removal was killed
    after_purge: dict[str, str]
    at_last: Result
    after_at_last: dict[str, str]


@pytest.fixture(scope="module")
def bare(originals: Originals, module_host: LabHost) -> tuple[Host, dict[str, str]]:
    """A host that has the Debian packages and nothing else of ours, and its state."""
    host = module_host(12, packages=PACKAGES.names)
    return host, _state(host)


@pytest.fixture(scope="module")
def story(bare: tuple[Host, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Provision, remove, provision again, purge; with what is somebody else's on the way."""
    host, state = bare
    inventory = provisioning.inventory(tmp_path_factory.mktemp("removal"), fleet_of(host))
    provisioning.run(inventory).check()
    chat = visitor.chat(host, "Do you remember me?").result

    host.run("systemctl disable --quiet --now venom-ui; systemctl clean --what=cache venom-ui")
    host.put(_FOREIGN_TEXT, _FOREIGN)
    host.put("# mine\n", _DROP_IN)
    host.run("systemctl daemon-reload; systemctl enable --quiet --now venom-ui")
    provisioned = _state(host)
    dry = provisioning.run(inventory, "--dry", deploy=_REMOVE)
    after_dry = _state(host)
    wrong = provisioning.run(inventory, "--data", "purge=please", deploy=_REMOVE)
    removed = provisioning.run(inventory, deploy=_REMOVE)
    foreign_runs = host.run("systemctl is-active venom-ui; systemctl is-enabled venom-ui", check=False).stdout
    after_removal = _state(host)
    audit = host.read("/var/log/venom-provisioner.log")
    again = provisioning.run(inventory, deploy=_REMOVE)
    after_again = _state(host)
    host.run(f"systemctl disable --quiet --now venom-ui; rm -r {_FOREIGN} {Path(_DROP_IN).parent}")
    host.run("systemctl daemon-reload")

    once_more = provisioning.run(inventory)
    answers = tuple(visitor.fetch(host, url).status for url in (f"{BACKEND}/healthz", UI))
    remembered = visitor.fetch(host, f"{BACKEND}/api/v1/tasks").body

    # By an inventory that has changed its mind meanwhile, and killed again and again.
    changed = fleet_of(host, profile="llm_off")
    del changed["defaults"]["ca_bundle"]
    provisioning.inventory(inventory.parent, changed)
    killed = _killed_everywhere(inventory, "--data", "purge=yes")
    after_purge = _state(host)
    at_last = provisioning.run(inventory, "--data", "purge=yes", deploy=_REMOVE)
    return Story(
        bare=state,
        provisioned=provisioned,
        dry=dry,
        after_dry=after_dry,
        wrong=wrong,
        removed=removed,
        foreign_runs=foreign_runs,
        after_removal=after_removal,
        audit=audit,
        again=again,
        after_again=after_again,
        once_more=once_more,
        answers=(answers[0], answers[1]),
        chat=chat,
        remembered=remembered,
        killed=killed,
        after_purge=after_purge,
        at_last=at_last,
        after_at_last=_state(host),
    )


# -- a whole host ------------------------------------------------------------------------------------


def test_dry_shows_what_would_go_and_stay_and_changes_nothing(story: Story) -> None:
    story.dry.check()
    for thing in ("/opt/venom", "/etc/venom", "users venom-build", "units venom-backend.service"):
        assert re.search(rf"goes   .*{thing}", story.dry.output), story.dry.output
    assert "stays  /var/lib/ollama (weights, " in story.dry.output
    assert comparison.differences(story.provisioned, story.after_dry) == []


def test_a_purge_that_is_none_is_refused_with_one_message(story: Story) -> None:
    assert story.wrong.status == 1
    message = "required  --data purge=yes, or no purge at all\nfound     purge=please\n"
    assert story.wrong.output.count(message) == 1
    assert "Connecting to hosts" not in story.wrong.output
    assert "Traceback" not in story.wrong.output


def test_everything_goes_but_what_is_reported_to_stay(story: Story) -> None:
    (ending,) = story.removed.check().endings.values()
    assert ending.startswith("removed\n")
    left = {line.partition(": ")[0] for line in comparison.differences(story.bare, story.after_removal)}
    assert {it for it in left if not it.startswith(("/var/lib/venom", "/var/lib/ollama"))} == {
        *("user ollama", "user venom", "users"),
        *("unit venom-ui.service", "unit files", _FOREIGN, _ENABLED, _DROP_IN, str(Path(_DROP_IN).parent)),
    }
    assert {"/var/lib/venom/venom.env", "/var/lib/ollama/models"} <= left
    assert "/var/lib/venom/config" not in left, "a link into what is gone"
    assert re.search(r"stays  /var/lib/ollama \(weights, [0-9]{3}\.[0-9] MB\)", ending)
    assert re.search(
        r"stays  /var/lib/venom \(data and settings, secrets among them, [0-9.]+ [kM]B\)", ending
    )
    assert "--data purge=yes removes these for good, with the users ollama, venom" in ending
    assert "Debian packages that it uses, none of them recorded as installed by it: ca-certificates" in ending


def test_what_is_somebody_elses_is_named_and_goes_on_running(story: Story) -> None:
    (ending,) = story.removed.endings.values()
    assert f"stays  {_FOREIGN}: somebody else's" in ending
    assert f"stays  {_DROP_IN}: somebody else's" in ending
    assert story.foreign_runs == "active\nenabled\n"


def test_the_audit_log_has_it(story: Story) -> None:
    assert re.search(r"deploy/remove\.py: removed \(g[0-9a-f]{12} -> none\)$", story.audit.strip())


def test_a_second_removal_changes_nothing(story: Story) -> None:
    assert story.again.check().changed_operations == []
    assert comparison.differences(story.after_removal, story.after_again) == []
    (ending,) = story.again.endings.values()
    assert ending.startswith("not provisioned; only kept data are left\nstays  /var/lib/ollama (weights, ")


def test_on_what_was_kept_it_serves_again_with_the_old_data(story: Story) -> None:
    assert "Weights | finish" not in [name for _, name in story.once_more.check().changed_operations]
    assert story.answers == (200, 200)
    assert story.chat in story.remembered


def test_a_purge_leaves_the_bare_host_wherever_it_was_killed_and_although_the_inventory_had_changed(
    story: Story,
) -> None:
    assert story.killed == _OPERATIONS
    assert comparison.differences(story.bare, story.after_purge) == []


def test_after_that_nothing_of_ours_is_there(story: Story) -> None:
    assert story.at_last.check().changed_operations == []
    assert list(story.at_last.endings.values()) == ["not provisioned"]
    assert comparison.differences(story.after_purge, story.after_at_last) == []


# -- half a host -------------------------------------------------------------------------------------


def test_a_host_that_never_was_ours_is_left_alone_and_a_half_made_one_is_cleared(
    bare: tuple[Host, dict[str, str]], lab_host: LabHost, tmp_path: Path
) -> None:
    host = lab_host(12)
    before = visitor.files(host, *BARE)
    inventory = provisioning.inventory(tmp_path, fleet_of(host))
    alone = provisioning.run(inventory, "--data", "purge=yes", deploy=_REMOVE).check()
    assert (list(alone.endings.values()), alone.changed_operations) == (["not provisioned"], [])
    assert visitor.files(host, *BARE) == before

    with provisioning.no_ui_stored(), provisioning.running(inventory):
        _await(host, "grep -q 'npm ci' /opt/venom/jobs/ui/steps")
    assert "venom-job-ui" in visitor.jobs(host)
    result = provisioning.run(inventory, "--data", "purge=yes", deploy=_REMOVE).check()
    (ending,) = result.endings.values()
    assert ending.startswith("removed, with data and weights\n")
    packages = re.search(r"unless you need them: apt-get remove (.*)", ending)
    assert packages
    assert packages[1].split() == list(PACKAGES.names)
    assert visitor.jobs(host) == ""
    # The other host's nginx was there before us, and serves; this one came with us, and stops.
    left = {line.partition(": ")[0] for line in comparison.differences(bare[1], _state(host))}
    assert {thing for thing in left if "nginx" not in thing} == {"ports", "unit files"}
    stopped = host.run("systemctl is-active nginx; systemctl is-enabled nginx", check=False).stdout
    assert stopped == "inactive\ndisabled\n"


def _await(host: Host, condition: str, seconds: int = 300) -> None:
    line = f"until {condition} 2>/dev/null; do sleep 0.2; done"
    host.run(["timeout", str(seconds), "sh", "-c", line])


def _killed_everywhere(inventory: Path, *arguments: str) -> list[str]:
    """Remove; the runs are killed after one operation more each, until one gets through. Which they were."""
    record = inventory.with_name("killed")
    env = {**os.environ, "KILLED_RUN": _REMOVE, "KILLED_RUN_RECORD": str(record)}
    while (run := provisioning.run(inventory, *arguments, deploy="tests/lab/killed_run.py", env=env)).status:
        assert run.status == -signal.SIGKILL, run.output
    return [name.removeprefix(f"{_REMOVE} | ") for name in record.read_text().splitlines()]
