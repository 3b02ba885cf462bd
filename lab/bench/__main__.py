"""Measures a run that has nothing to do, beside what else could keep the same state: see script/bench."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from engine import paths
from engine.observation import Question, command, read
from engine.question import question_about
from engine.receipt import applied_by
from fleet.assessment import Planned, plan_one
from lab import ssh
from lab.bench import ansible, filling, report, spreading
from lab.bench.hosts import COUNT, OFF, fleet_of, inventory, plain_inventory, probed, provisioned, pyinfra
from lab.bench.planning import SIZES, planning
from lab.bench.state import variables
from lab.hosts import Host
from lab.state import LabError
from roles.preflight.facts import parse
from schemas.inventory import load

_UNCHANGED = "As declared"

Thing = tuple[str, Callable[[], object]]  # its name, and what is measured


def main() -> int:
    """Boot the hosts, measure in turns, print the tables. Status 1 says that a figure is void."""
    arguments = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    arguments.add_argument("--runs", type=int, default=3, metavar="N", help="of each (default: 3)")
    arguments.add_argument("--host", metavar="NAME", help="only on this one, which the lab has already")
    arguments.add_argument(
        "--planning",
        nargs="*",
        type=int,
        metavar="HOSTS",
        help=f"only plan fleets of so many hosts, which takes no host (default: {' '.join(map(str, SIZES))})",
    )
    arguments.add_argument(
        "--fresh",
        nargs="*",
        type=int,
        metavar="HOSTS",
        help=f"only what so many fresh hosts fetch (default: {' '.join(map(str, filling.SIZES))})",
    )
    arguments.add_argument(
        "--hosts", type=int, metavar="N", help="only one host and so many, which have nothing to do"
    )
    arguments.add_argument(
        "--passing",
        nargs="?",
        type=int,
        const=filling.RECEIVERS,
        metavar="HOSTS",
        help=f"only how fast so many hosts get a model: see docs/store.md (default: {filling.RECEIVERS})",
    )
    arguments.add_argument(
        "--spreading", action="store_true", help="only the same simulated: see docs/store.md"
    )
    given = arguments.parse_args()
    if given.runs < 1 or any(it < 1 for it in [*(given.planning or ()), *(given.fresh or ())]):
        arguments.error("--runs, --planning, --fresh: at least 1")
    for name, few in (("hosts", 2), ("passing", 1)):
        if (number := getattr(given, name)) is not None and number < few:
            arguments.error(f"--{name}: at least {few}")
    # Hosts of the lab go away again, however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if printed := _other(given):
            print(f"{report.machine()}\n{printed}")
            return 0
        if given.hosts:
            with (
                tempfile.TemporaryDirectory() as folder,
                fleet_of(Path(folder), given.hosts, _log) as hosts,
            ):
                print(report.machine(), flush=True)
                taken = measure(_of_a_fleet(Path(folder), hosts), given.runs)
            print(report.fleet_tables(given.hosts, taken))
            return 0
        with (
            tempfile.TemporaryDirectory() as folder,
            provisioned(Path(folder), given.host, _log) as hosts,
        ):
            print(report.machine(), flush=True)
            taken = measure(_things(Path(folder), hosts), given.runs)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(report.tables(taken))
    return 0


def _other(given: argparse.Namespace) -> str:
    """The tables of what is measured instead of a run with nothing to do; empty where that is asked for."""
    if given.planning is not None:
        return report.planning_tables([planning(it) for it in given.planning or SIZES])
    if given.spreading:
        return report.spreading_tables(list(spreading.every()))
    with tempfile.TemporaryDirectory() as folder:
        if given.fresh is not None:
            sizes = given.fresh or filling.SIZES
            return report.fetched_tables([filling.fetched(Path(folder), it, _log) for it in sizes])
        if given.passing:
            return report.passed_tables(filling.passed(Path(folder), given.passing, _log))
    return ""


def measure(things: Sequence[Thing], runs: int) -> dict[str, list[float]]:
    """Seconds of each thing, `runs` times in turns, so that a busy moment of the machine hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name, _ in things}
    for number in range(runs):
        _log(f"round {number + 1} of {runs}")
        for name, thing in things:
            begun = time.monotonic()
            thing()
            taken[name].append(time.monotonic() - begun)
    return taken


def _of_a_fleet(folder: Path, hosts: list[Host]) -> list[Thing]:
    one, every = inventory(folder, "one", hosts[:1], **OFF), inventory(folder, "all", hosts, **OFF)
    plain, all_plain = _plain(folder, hosts)
    look = _look(folder, _question(_planned(one, hosts[0])))
    return [
        ("pyinfra", lambda: look(plain)),
        ("venom", lambda: _unchanged(one, 1)),
        ("pyinfra-all", lambda: look(all_plain)),
        ("venom-all", lambda: _unchanged(every, len(hosts))),
    ]


def _things(folder: Path, hosts: list[Host]) -> list[Thing]:
    first, last = hosts[0], hosts[-1]
    one, all_of_them = inventory(folder, "one", [first]), inventory(folder, "all", hosts)
    off, light = inventory(folder, "off", [last], profile="llm_off"), inventory(folder, "light", [last])
    plain, all_plain = _plain(folder, hosts)
    planned = _planned(one, first)
    question = _question(planned)
    look = _look(folder, question)
    ansible.prepare(folder, [first], variables(planned))

    def back() -> None:
        pyinfra(light, "deploy/rollback.py")

    of_eight = [
        ("pyinfra-8", lambda: look(all_plain)),
        ("venom-8", lambda: _unchanged(all_of_them, len(hosts))),
    ]
    return [
        ("bare", lambda: _bare(first, question)),
        ("pyinfra", lambda: look(plain)),
        ("venom", lambda: _unchanged(one, 1)),
        ("mitogen", lambda: ansible.keep(folder, mitogen=True)),
        ("ansible", lambda: ansible.keep(folder)),
        *(of_eight if len(hosts) == COUNT else []),
        ("off", lambda: pyinfra(off)),
        ("light", lambda: pyinfra(light)),
        # To llm_off and to light again, as the next round expects it.
        ("rollback", back),
        ("rollback", back),
    ]


def _plain(folder: Path, hosts: list[Host]) -> tuple[Path, Path]:
    """The first of the hosts, and all of them, with nothing of ours."""
    return plain_inventory(folder, "plain", hosts[:1]), plain_inventory(folder, "all-plain", hosts)


def _question(planned: Planned) -> Question:
    return question_about(planned.resources, planned.store_paths, planned.units, planned.generation.services)


def _look(folder: Path, question: Question) -> Callable[[Path], None]:
    """What runs pyinfra alone over an inventory, with our one observation."""
    (folder / "question").write_text(str(question))
    (folder / "look").write_text(command(question).get_raw_value())
    environment = {**os.environ, "LOOK": str(folder / "look"), "QUESTION": str(folder / "question")}

    def look(declared: Path) -> None:
        # Without our config.py, which is no cost of pyinfra's.
        pyinfra(declared, "lab/bench/pyinfra/look.py", environment, "--config", "none.py")

    return look


def _planned(declared: Path, host: Host) -> Planned:
    """What the host is to be, with the generation's file as the host has it.

    The file keeps what the inventory said when it was written: other words for the same plan change nothing.
    """
    (one,) = load(declared.with_suffix(".yaml")).hosts
    receipt = json.loads(host.run(f"cat {paths.RECEIPT}").stdout)
    planned = plan_one(one, parse(probed(host)).hardware)
    return replace(planned, declaration=applied_by(receipt)["declaration"])


def _bare(host: Host, question: Question) -> None:
    line = [*ssh.command(host.address), command(question).get_raw_value()]
    answer = subprocess.run(line, input=str(question), capture_output=True, text=True, check=False)
    if not read(answer.stdout.splitlines(), sorted(set(question.units))).receipt:
        raise LabError(f"{host.name} did not answer: {answer.stderr}")


def _unchanged(hosts: Path, count: int) -> None:
    output = pyinfra(hosts)
    if output.count("No changes") != count or _UNCHANGED not in output:
        raise LabError(f"deploy/venom.py found something to do\n{output}")


def _log(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
