"""The lab's command line: `python -m lab`, or `script/lab`, which does the set-up first."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import base, demo, network, preconditions, ssh, upstream_process
from lab.hosts import Host, all_hosts
from lab.state import LabError


def main() -> int:
    """Do what the arguments ask for; 1 for a failure, 3 where no host can be booted here."""
    arguments = _parser().parse_args()
    missing = preconditions.missing()
    if missing:
        print(preconditions.message(missing), file=sys.stderr)
        return 3
    try:
        return int(arguments.do(arguments))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/lab", description="Boot and manage disposable hosts on this machine."
    )
    parser.set_defaults(do=lambda _: demo.run())
    commands = parser.add_subparsers(title="commands (none: boot lab1 and make it serve Venom)")

    prepare = commands.add_parser("prepare", help="build ahead what hosts boot from and download")
    prepare.set_defaults(do=_prepare)

    up = commands.add_parser("up", help="create a fresh host and boot it")
    up.add_argument("name", nargs="?", default="lab1")
    up.add_argument("--debian", type=int, choices=sorted(base.SUITES), default=12)
    up.add_argument("--keep", action="store_true", help="start it as it is, if there is one")
    up.add_argument("--airgapped", action="store_true", help="it reaches only the lab")
    up.add_argument("--podman", action="store_true", help="podman is already installed")
    up.add_argument("--sudo-user", metavar="NAME", help="a further login, which may sudo")
    up.add_argument("--address", help="its address (default: by its name, or the next free one)")
    up.set_defaults(do=_up)

    down = commands.add_parser("down", help="remove hosts and everything on them")
    down.add_argument("names", nargs="*", metavar="name")
    down.add_argument("--all", action="store_true", help="every host, the upstream and the bridge")
    down.set_defaults(do=_down)

    commands.add_parser("list", help="list the hosts").set_defaults(do=_list)

    for name, do, meaning in (
        ("stop", _stop, "shut hosts down; their data stay"),
        ("start", _start, "boot hosts that were shut down"),
    ):
        command = commands.add_parser(name, help=meaning)
        command.add_argument("names", nargs="+", metavar="name")
        command.set_defaults(do=do)

    clone = commands.add_parser("clone", help="boot a new host with the contents of a stopped one")
    clone.add_argument("source")
    clone.add_argument("name")
    clone.set_defaults(do=lambda given: _print_host(Host.get(given.source).clone(given.name)))

    run = commands.add_parser("run", help="run a command on a host: run NAME -- COMMAND")
    run.add_argument("name")
    run.add_argument("command", nargs=argparse.REMAINDER)
    run.set_defaults(do=_run)

    login = commands.add_parser("ssh", help="log in to a host")
    login.add_argument("name")
    login.set_defaults(do=lambda given: _exec(ssh.command(Host.get(given.name).address)))
    return parser


def _prepare(_: argparse.Namespace) -> int:
    in_use = [Path(host.base) for host in all_hosts()]
    with ThreadPoolExecutor() as pool:
        trees = [pool.submit(base.ensure, debian, in_use=in_use) for debian in base.SUITES]
        upstream_process.ensure()
        for tree in trees:
            tree.result()
    return 0


def _up(given: argparse.Namespace) -> int:
    host = Host.create(
        given.name,
        given.debian,
        fresh=not given.keep,
        airgapped=given.airgapped,
        podman=given.podman,
        sudo_user=given.sudo_user,
        address=given.address,
    )
    _print_host(host)
    upstream_process.ensure()
    return 0


def _print_host(host: Host) -> int:
    print(f"{host.name}: Debian {host.debian}, up at {host.address}")
    return 0


def _down(given: argparse.Namespace) -> int:
    if given.all == bool(given.names):
        raise LabError("down: say which hosts, or --all")
    for host in all_hosts() if given.all else [Host.get(name) for name in given.names]:
        host.destroy()
    if given.all:
        upstream_process.stop()
        network.remove()
    return 0


def _list(_: argparse.Namespace) -> int:
    row = "{:<16} {:<7} {:<14} {:<5} {}".format
    print(row("NAME", "DEBIAN", "ADDRESS", "STATE", "CREATED"))
    for host in all_hosts():
        state = "up" if host.up else "down"
        print(row(host.name, host.debian, host.address, state, host.created))
    return 0


def _stop(given: argparse.Namespace) -> int:
    for name in given.names:
        Host.get(name).stop()
    return 0


def _start(given: argparse.Namespace) -> int:
    for name in given.names:
        Host.get(name).start()
    return 0


def _run(given: argparse.Namespace) -> int:
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        raise LabError("run: a command is missing: script/lab run NAME -- COMMAND")
    # Several words are an argument list; one word is a line for the host's shell.
    line = shlex.join(command) if len(command) > 1 else command[0]
    return _exec([*ssh.command(Host.get(given.name).address), line])


def _exec(argv: list[str]) -> int:
    """Become the ssh client, so that input, output and exit status are its own."""
    sys.stdout.flush()
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    sys.exit(main())
