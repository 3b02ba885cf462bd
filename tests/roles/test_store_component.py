"""The store as a component: what it is on the host that serves it, on those that ask it, and on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine import remote
from engine.component import Component
from engine.environment import Lock
from engine.observation import Observed
from engine.packages import origin_of
from engine.proxy import Way
from engine.resources import Absent, Enabled, File, Packages
from fleet.builds import Build
from fleet.components import Shares, components
from roles.backend.deploy import environment_job
from roles.door import firewall
from roles.door.secrets import Revealed
from roles.store.deploy import DEBIAN, fill_job
from roles.store.server import CONFIGURATION, UNIT
from roles.store.wants import Fleet, Wants, fetched, lacking
from roles.ui.deploy import build_job
from roles.weights.deploy import pull_job
from schemas.model import HostPlan
from schemas.plan.item import Item
from schemas.plan.items import Read, items
from tests.engine.test_scripts import check
from tests.roles.plans import components_of, declared, plan

SERVES = """\
hosts:
  one:
    address: 192.0.2.1
    store: {host: one, allow_from: [192.0.2.0/24]}
    door: {exposure: lan, allow_from: [192.0.2.64/26], firewall: true}
"""
CLOSED = (
    "hosts:\n  two:\n    address: 192.0.2.2\n    store: {url: 'http://192.0.2.1:8800'}\n    internet: false\n"
)
OPEN = CLOSED.replace("    internet: false\n", "")
ALONE = "hosts:\n  two:\n    address: 192.0.2.2\n"


def _store(of: HostPlan, shares: Shares | None = None) -> Component:
    listed = components(of, Build.unknown(of), {}, Revealed(), shares or Shares(), gpu=False)
    return next(it for it in listed if it.name == "store")


def _items(inventory: str = ALONE) -> Sequence[Item]:
    return items(plan(inventory), declared(inventory).pins, Read())


def test_on_a_host_without_a_store_it_is_in_no_generation_and_only_its_unit_must_be_gone() -> None:
    store = _store(plan(ALONE))
    assert store.prerequisites == (Absent(f"/etc/systemd/system/{UNIT}"), Absent("/etc/venom/store"))
    assert CONFIGURATION == "/etc/venom/store/nginx.conf"
    assert (store.resources, store.service, store.unit, store.ports, store.work) == ((), None, "", (), None)


def test_where_it_is_served_its_nginx_is_kept_apart_from_what_generations_switch() -> None:
    store = _store(plan(SERVES))
    assert (store.resources, store.service, store.unit, store.apart) == ((), None, UNIT, True)
    assert Enabled(UNIT) in store.prerequisites
    texts = {it.path: it.content for it in store.prerequisites if isinstance(it, File)}
    assert "allow 192.0.2.0/24;\n        deny all;" in texts[CONFIGURATION]
    assert "DynamicUser=yes" in texts[f"/etc/systemd/system/{UNIT}"]
    assert [(it.number, it.exposed) for it in store.ports] == [(8800, True)]


def test_the_packet_filter_lets_in_to_the_store_who_may_read_it() -> None:
    (rules,) = [
        it.content
        for it in firewall.resources(plan(SERVES).door, [], {8800: ("192.0.2.0/24",)})
        if isinstance(it, File) and it.path == firewall.RULES
    ]
    assert "tcp dport 8800 ip saddr { 192.0.2.0/24 } accept" in rules
    assert "tcp dport { 80, 8800 } drop" in rules


def test_it_begins_before_whatever_fetches_from_it() -> None:
    names = [it.name for it in components_of(plan(SERVES))]
    assert names[:2] == ["base", "store"]


def test_its_host_needs_room_for_what_it_has_not_got_yet() -> None:
    store = _store(plan(SERVES), Shares(wants=lambda: _items(SERVES)))
    coming = [it for it in store.needs if it.comes(Observed())]
    ollama = next(it for it in coming if it.what == "ollama 0.24.0, in the store")
    assert ollama.disk == {"/var/lib/venom-store": 1198635318}
    (path,) = ollama.unless
    assert path in store.looked_at
    assert not ollama.comes(Observed(paths={path: {"kind": "file"}}))


def test_a_model_is_pulled_from_the_store_first_and_from_upstream_unless_that_is_closed() -> None:
    def places(inventory: str) -> str:
        of = plan(inventory)
        assert of.model
        assert of.ollama
        return pull_job(of.model, of.ollama, ["ollama", "serve"], (), of.store).key.partition(" ")[2]

    assert places(ALONE) == "gemma3:4b"
    assert places(OPEN) == "192.0.2.1:8800/library/gemma3:4b gemma3:4b"
    assert places(CLOSED) == "192.0.2.1:8800/library/gemma3:4b"


def test_packages_come_from_the_store_first_and_from_the_index_unless_that_is_closed() -> None:
    def script(inventory: str) -> str:
        of = plan(inventory)
        release = Build.unknown(of).release
        lock = Lock(Path("lock.txt"), "", "", fresh=False)
        return environment_job(of, release, lock).script  # type: ignore[arg-type]

    assert "UV_INDEX" not in script(ALONE)
    assert "place=(UV_INDEX=http://192.0.2.1:8800/pypi)" in script(OPEN)
    assert "install || { place=() && install; } || {" in script(OPEN)
    assert "UV_DEFAULT_INDEX=http://192.0.2.1:8800/pypi" in script(CLOSED)
    assert "place=()" not in script(CLOSED)


def test_npm_asks_the_store_first_and_the_registry_unless_that_is_closed() -> None:
    def script(inventory: str) -> str:
        of = plan(inventory)
        return build_job(of, Build.unknown(of).release).script  # type: ignore[arg-type]

    assert "either" not in script(ALONE)
    assert "place=(npm_config_registry=http://192.0.2.1:8800/npm/)" in script(OPEN)
    assert "either npm ci" in script(OPEN)
    assert "    return 1\n" in script(CLOSED)


def test_what_will_come_and_the_store_lacks_is_found_by_its_name() -> None:
    every = _items()
    coming = {"node 24.21.0": (), "weights gemma3:4b": ("manifest of gemma3:4b", "blob of gemma3:4b")}
    held = "".join(f"{it.id} {it.kind} {it.name}\n" for it in every if it.kind == "manifest")
    assert [it.name for it in lacking(every, coming, held)] == ["node 24.21.0", "blob of gemma3:4b"]
    assert lacking(every, {}, "") == []


def test_debian_packages_are_wanted_for_the_release_of_a_host_and_only_where_that_is_known() -> None:
    def wanted(codename: str) -> list[Item]:
        read = Read(debian=("nginx", "zstd"), codename=codename)
        return [it for it in fetched(items(plan(ALONE), declared(ALONE).pins, read)) if it.kind == "debian"]

    assert [(it.name, it.fits) for it in wanted("trixie")] == [
        ("nginx", ("trixie", "amd64")),
        ("zstd", ("trixie", "amd64")),
    ]
    assert {it.origins for it in wanted("trixie")} == {("http://deb.debian.org",)}
    assert wanted("") == []
    assert not {it.id for it in wanted("trixie")} & {it.id for it in wanted("bookworm")}


def test_a_package_of_debian_that_a_host_lacks_is_found_by_its_name() -> None:
    every = items(plan(CLOSED), declared(CLOSED).pins, Read(debian=("nginx", "zstd"), codename="trixie"))
    assert [it.name for it in lacking(every, {DEBIAN: ("zstd",)}, "")] == ["zstd"]


def test_apt_asks_the_store_first_and_alone_where_that_is_closed_but_never_on_the_stores_own_host() -> None:
    def origin(inventory: str, *, filled: bool = False) -> Mapping[str, str]:
        return origin_of(Way(), plan(inventory), filled=filled)

    assert origin(ALONE) == {}
    assert origin(OPEN) == {"VENOM_STORE": "http://192.0.2.1:8800"}
    assert origin(CLOSED) == {"VENOM_STORE": "http://192.0.2.1:8800", "VENOM_CLOSED": "yes"}
    assert origin(SERVES) == origin(SERVES, filled=True) == {}
    # What this run brings to the store, the host's own sources are not asked for.
    assert origin(OPEN, filled=True) == {**origin(OPEN), "VENOM_FILLED": "yes"}


def test_a_closed_hosts_packages_are_not_asked_for_before_its_store_was_filled_in_this_run() -> None:
    def later(inventory: str, *, here: bool) -> set[bool]:
        fleet = Fleet("one", ("one", "two"), lambda _: (), here=here, feeds=True)
        of = plan(inventory)
        base = components(of, Build.unknown(of), {}, Revealed(), Shares(fleet), gpu=False)[0]
        return {it.later for it in base.prerequisites if isinstance(it, Packages)}

    assert later(CLOSED, here=True) == {True}
    assert later(CLOSED, here=False) == later(OPEN, here=True) == later(SERVES, here=True) == {False}


def test_who_is_about_to_install_packages_gets_what_debian_has_today() -> None:
    wants = Wants()
    wants.note("one", _items())
    assert not wants.newcomers
    wants.note("two", _items(), newcomer=True)
    wants.note("one", _items())
    assert wants.newcomers


def test_hosts_that_want_the_same_name_it_once() -> None:
    wants = Wants()
    for host in ("one", "two"):
        wants.note(host, _items())
    request = wants.request(["one", "two", "three"])
    assert request["wants"]["one"] == request["wants"]["two"] == list(request["items"])
    assert not [it for it in request["items"].values() if it["kind"] in ("source", "ui", "debian")]
    assert not [it for it in request["items"].values() if it["name"].startswith("uv ")], "it comes by SSH"


def test_a_store_of_another_inventory_is_asked_and_not_filled() -> None:
    assert _store(plan(OPEN)).work is None
    fleet = Fleet("one", ("one", "two"), lambda _: (), here=True, feeds=True)
    assert _store(plan(SERVES), Shares(fleet)).work is not None


def test_the_jobs_that_ask_the_store_are_sound() -> None:
    for inventory in (OPEN, CLOSED):
        of = plan(inventory)
        release = Build.unknown(of).release
        lock = Lock(Path("lock.txt"), "", "", fresh=False)
        for job in (environment_job(of, release, lock), build_job(of, release)):  # type: ignore[arg-type]
            assert check(f"{remote.script('job.sh')}\n{job.script}", "bash", "SC2016") == ""


def test_the_same_wants_make_the_same_job() -> None:
    assert fill_job(["a", "b"]).key == fill_job(["a", "b"]).key != fill_job(["a"]).key
