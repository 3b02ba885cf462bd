"""A host that pulls: what is on it for that, what it refuses, and what its receipts are worth."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.resources import Absent, Enabled, File
from fleet.assessment import declared_of
from fleet.publishing import house
from fleet.publishing.publication import sign
from roles.pull import deploy as pull
from roles.pull.receipts import standing
from schemas.model import HostPlan, Puller
from schemas.plan.show import describe, to_dict
from tests.http_serving import Quiet, serving
from tests.roles.plans import INVENTORY, components_of, plan
from tests.ssh_keys import write_pair

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvF"
STORE = "    store: {host: one, allow_from: [192.0.2.0/24]}\n"
ONE = f"  one:\n    address: 192.0.2.1\n{STORE}"
PULLS = f"{INVENTORY}{STORE}    pull: {{every: 30min, signers: ['{KEY} ada@desk']}}\n"
NAMES = ("fault", "form", "signed", "fetching", "laying", "applying", "pull")
# What stands for pyinfra in an environment: it ends as the house beside it says.
RUN = """\
import pathlib, sys
back = pathlib.Path("back").read_text()
if back:
    pathlib.Path(back).write_text("why")
pathlib.Path("ran").write_text(" ".join(sys.argv[1:]))
print(pathlib.Path("output").read_text())
sys.exit(int(pathlib.Path("status").read_text()))
"""


def _files(of: HostPlan) -> dict[str, str]:
    (found,) = (it for it in components_of(of) if it.name == "pull")
    return {it.path: it.content for it in found.prerequisites if isinstance(it, File)}


def test_a_host_that_a_run_reaches_has_none_of_it() -> None:
    found = pull.component(plan())
    assert all(isinstance(it, Absent) for it in found.prerequisites)
    assert not found.unit
    assert "pull" not in to_dict(plan())


def test_a_host_that_pulls_has_a_timer_with_chance_and_the_keys_it_trusts_for_plans_only() -> None:
    of = plan(PULLS + ONE)
    files = _files(of)
    timer = files["/etc/systemd/system/venom-pull.timer"]
    assert "OnUnitInactiveSec=1800\nRandomizedDelaySec=450\n" in timer
    assert files["/etc/venom/pull/allowed_signers"] == f'venom namespaces="venom-pull" {KEY}\n'
    assert json.loads(files["/etc/venom/pull/pull.json"]) == {
        **{"host": "box", "store": "http://192.0.2.1:8800", "every": 1800}
    }
    component = pull.component(of)
    assert Enabled("venom-pull.timer", now=True) in component.prerequisites
    assert (component.resources, component.service, component.apart) == ((), None, True)
    assert "pull       its signed plan from the store, every 30 min" in describe(of)


def test_removal_knows_what_it_has_fetched_whatever_the_inventory_says() -> None:
    for inventory in (INVENTORY, PULLS + ONE):
        paths = {str(it) for it in declared_of(components_of(plan(inventory)))}
        assert {"/var/lib/venom-pull", "/etc/systemd/system/venom-pull.timer"} <= paths
        assert {"/var/lib/venom-receipts", "/var/lib/private/venom-receipts"} <= paths


def _served(inventory: str) -> dict[str, str]:
    """Files of the store on the host that serves it, which comes first in the inventory."""
    (found,) = (it for it in components_of(plan(inventory)) if it.name == "store")
    return {it.path: it.content for it in found.prerequisites if isinstance(it, File)}


def test_the_store_takes_one_file_of_each_such_host_from_its_address_and_nothing_where_there_is_none() -> (
    None
):
    hosts = (PULLS.removeprefix("hosts:\n"), f"{INVENTORY}{STORE}".removeprefix("hosts:\n"))
    with_it, without = (_served(f"hosts:\n{ONE}{it}") for it in hosts)
    conf, unit = "/etc/venom/store/nginx.conf", "/etc/systemd/system/venom-store.service"
    assert '"PUT /receipts/box.json" 0;' in with_it[conf]
    assert "allow 192.0.2.10;\n            deny all;" in with_it[conf]
    assert "StateDirectory=venom-receipts" in with_it[unit]
    for text in without.values():
        assert "receipts" not in text
        assert "dav" not in text


# -- what a host does with what it finds ----------------------------------------------------------


@dataclass
class Store:
    """A store that a host asks: what lies there by path, and what was left there."""

    files: dict[str, bytes] = field(default_factory=dict)
    left: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Site:
    """One host, with the program's parts, its store and its administrator's key."""

    program: SimpleNamespace
    store: Store
    url: str
    folder: Path
    key: Path
    serial: int = 100

    def publish(
        self,
        *,
        status: int = 0,
        text: str = "serves",
        takes_back: bool = False,
        key: Path | None = None,
        **changes: Any,
    ) -> bytes:
        """Publish a plan whose run ends so; gives what was published."""
        back = str(self.folder / "taken-back") if takes_back else ""
        files = {"status": str(status).encode(), "output": text.encode(), "back": back.encode()}
        parts = {
            "house": house.archive(files),
            "environment": house.archive({"pyinfra/__init__.py": b"", "pyinfra/__main__.py": RUN.encode()}),
        }
        self.serial += 1
        plan = {
            **{"form": 1, "host": "box", "serial": self.serial},
            **{"python": house.PYTHON, "machine": house.MACHINE},
            "cache": {"sources/a.tar.gz": self._content(b"a source")},
            **{name: [{"at": "", **self._content(content)}] for name, content in parts.items()},
        }
        signed = sign({**plan, **changes}, key or self.key).encode()
        self.store.files["/pull/box.signed"] = signed
        return signed

    def _content(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        self.store.files[f"/pull/contents/{digest}"] = content
        return {"sha256": digest, "size": len(content)}

    def pull(self, url: str = "") -> str:
        """What the program prints where it does not end well; empty where it does."""
        question = self.folder / "pull.json"
        question.write_text(json.dumps({"host": "box", "store": url or self.url, "every": 60}))
        sys.argv = ["pull.py", str(question), str(self.folder / "allowed")]
        try:
            self.program.pull.main()
        except SystemExit as end:
            return str(end.code)
        return ""

    @property
    def receipt(self) -> Mapping[str, Any]:
        return self.store.left["/receipts/box.json"]

    @property
    def ran(self) -> list[Path]:
        """Houses in which a run was started."""
        return sorted((self.folder / "kept" / "house").glob("*/ran"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(pull.SCRIPTS))
    monkeypatch.setattr(sys, "argv", sys.argv)
    program = SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    kept = tmp_path / "kept"
    monkeypatch.setattr(program.laying, "KEPT", str(kept))
    monkeypatch.setattr(program.laying, "CACHE", str(kept / "cache"))
    monkeypatch.setattr(program.pull, "RECORD", str(kept / "record.json"))
    monkeypatch.setattr(program.applying, "_TAKEN_BACK", str(tmp_path / "taken-back"))
    key = write_pair(tmp_path / "key")
    (tmp_path / "allowed").write_text(pull.allowed((key.with_suffix(".pub").read_text().strip(),)))
    store = Store()

    class Handler(Quiet):
        def do_GET(self) -> None:
            content = store.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def do_PUT(self) -> None:
            length = int(self.headers["Content-Length"])
            store.left[self.path] = json.loads(self.rfile.read(length))
            self.send_response(204)
            self.end_headers()

    with serving(Handler) as url:
        yield Site(program, store, url, tmp_path, key)
    for name in NAMES:
        sys.modules.pop(name, None)


def test_a_signed_plan_is_laid_down_whole_applied_and_reported(site: Site) -> None:
    site.publish()
    assert site.pull() == ""
    assert [it.read_text() for it in site.ran] == ["-y inventories/fleet.py deploy/venom.py"]
    cached = site.folder / "kept" / "cache" / "venom-provisioner" / "sources" / "a.tar.gz"
    assert cached.read_bytes() == b"a source"
    assert (site.receipt["result"], site.receipt["applied"]) == ("applied", site.serial)
    assert not list((site.folder / "kept").rglob("*.part"))
    # The next one replaces what this one had laid down; the same one is applied again.
    site.publish(text="serves another")
    assert site.pull() == ""
    assert site.pull() == ""
    assert len(site.ran) == 1


def test_what_nobody_signed_or_another_key_or_for_another_host_is_refused(site: Site) -> None:
    genuine = site.publish()
    _, _, text = genuine.partition(site.program.form.END.encode())
    cases = {
        "bytes without a signature": text,
        "incorrect signature": genuine.replace(b'"serial": 101', b'"serial": 102'),
        "a plan that one of the inventory's `pull.signers` has signed": genuine[:-1],
    }
    for part, published in cases.items():
        site.store.files["/pull/box.signed"] = published
        assert part.lower() in site.pull().lower()
    site.publish(key=write_pair(site.folder / "another"))
    assert "a plan that one of the inventory's `pull.signers` has signed" in site.pull()
    site.publish(host="other")
    assert "required  the plan of box\nfound     that of other" in site.pull()
    assert site.receipt["result"] == "refused"
    assert not site.ran


def test_an_older_plan_is_refused_whatever_became_of_the_newer_one(site: Site) -> None:
    older = site.publish()
    newer = site.publish(status=1, text="--> In the end:\nit did not work")
    assert "it did not work" in site.pull()
    assert site.receipt["result"] == "failed"
    site.store.files["/pull/box.signed"] = older
    assert site.pull().startswith(f"required  a plan that is not older than {site.serial}")
    # The newer one is tried again: whatever stood in its way may be gone.
    site.store.files["/pull/box.signed"] = newer
    assert "it did not work" in site.pull()


def test_a_plan_that_was_taken_back_is_not_tried_again_but_the_next_one_is(site: Site) -> None:
    again = "--> In the end:\nWhat served before serves again"
    site.publish(status=1, text=again, takes_back=True)
    assert "What served before serves again" in site.pull()
    assert site.receipt["result"] == "taken back"
    (ran,) = site.ran
    ran.unlink()
    assert "What served before serves again" in site.pull()
    assert not site.ran, "once is enough: it takes the services down"
    site.publish()
    assert site.pull() == ""


def test_what_comes_damaged_cut_off_or_not_at_all_is_refused_and_the_next_try_goes_on(site: Site) -> None:
    site.publish()
    packed = {path: it for path, it in site.store.files.items() if it[:2] == b"\x1f\x8b"}
    path, genuine = next(it for it in packed.items() if b"pyinfra" in gzip.decompress(it[1]))
    for damaged in (genuine[:-1], genuine + b"x", genuine[:-1] + b"x"):
        site.store.files[path] = damaged
        assert "found     sha256 " in site.pull()
    del site.store.files[path]
    assert "404" in site.pull()
    assert not site.ran
    site.store.files[path] = genuine
    assert site.pull() == ""
    assert site.receipt["result"] == "applied"


def test_a_store_that_does_not_answer_or_has_no_plan_is_one_message_and_is_asked_again(site: Site) -> None:
    assert "404" in site.pull()
    assert "do        publish one: deploy/publish.py" in site.pull()
    silent = site.pull("http://127.0.0.1:1")
    assert silent.count("required  ") == 2, "neither the plan nor a place for the receipt"
    assert "required  a store that answers\nfound     http://127.0.0.1:1/pull/box.signed: " in silent
    site.publish()
    assert site.pull() == ""


def test_a_plan_for_another_python_or_of_another_form_is_refused_before_anything_is_fetched(
    site: Site,
) -> None:
    site.publish(python="2.7")
    assert "found     one for Python 2.7 on " in site.pull()
    site.publish(form=2)
    assert "found     form 2" in site.pull()
    site.publish(cache=["no", "mapping"])
    assert site.pull().startswith("required  a plan that this host can read\n")
    assert not (site.folder / "kept" / "cache").exists()
    assert site.receipt["result"] == "refused"


# -- what receipts are worth ----------------------------------------------------------------------


def _alarm(published: int = 5000, at: int = 9000, **receipt: Any) -> str:
    answered = {"receipt": receipt, "at": at, "published": published}
    return str(standing(Puller("box", "", 600), answered, 10_000)["alarm"])


def test_silence_for_two_periods_and_failure_are_alarms_and_nothing_else_is() -> None:
    assert _alarm(result="applied", applied=5000) == ""
    assert _alarm(at=8799, result="applied").startswith("has not reported since 1970-01-01 02:26 UTC")
    assert _alarm(at=0) == "has never reported"
    assert _alarm(at=0, published=0) == ""
    why = "required  a store that answers\nfound     timed out\ndo        wait"
    assert _alarm(result="refused", why=why) == "refused: timed out"


def test_a_receipt_of_any_form_is_read_and_believed_no_further() -> None:
    assert _alarm() == "reported nonsense"
    assert _alarm(result=["applied"], applied="1", why={"a": 1}).startswith("['applied']: ")
