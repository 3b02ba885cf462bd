"""Runs on the host: a service that takes other inputs by a reload, and answers at its address with which."""

import os
import socket
import struct
import time

from read_door import read_door
from switch_files import remove, run
from switch_services import NotServingError, report, state, step


def of(generation):
    """Those of a generation; none where there is no generation."""
    return [it for it in (generation or {"services": []})["services"] if it.get("reloads")]


def test(service):
    """Raise what it has against its new files, before anybody reads them."""
    tested = run(*service["reloads"]["test"])
    if tested.returncode:
        message = (tested.stderr or tested.stdout).strip()
        raise NotServingError("%s rejects its new configuration:\n%s" % (service["title"], message))


def reload(service):
    """Let it go on with what lies there now, and wait until it does, and nothing before it any more.

    Always: who changed a file by hand may have had it read, and its fingerprint shows nothing of that.
    """
    unit, begun = service["unit"], time.monotonic()
    runs = state(unit).get("ActiveState") == "active"
    how = "start" if not runs else "restart" if _in_the_way(service) else "reload"
    step("%s %s" % (how, service["title"]))
    before = _workers(unit)
    run("systemctl", "reset-failed", unit)
    done = run("systemctl", how, unit)
    if done.returncode:
        raise NotServingError(_failure(service, done.stderr.strip()))
    while obstacle := _lacks(service) or _accepting(before):
        if time.monotonic() - begun > service["ready_timeout"]:
            reason = "after %s s its new configuration does not answer: %s"
            raise NotServingError(_failure(service, reason % (service["ready_timeout"], obstacle)))
        time.sleep(0.1)
    print("%s answers after %.1f s" % (service["title"], time.monotonic() - begun))


def report_certificate(service):
    """Report its certificate: who opens it compares the fingerprint."""
    certificate = service["reloads"]["certificate"]
    if not certificate:
        return
    output = run("openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").stdout
    report("certificate of the door: SHA-256 %s" % output.rpartition("=")[2].strip())


def shut(services):
    """Take their sites away: what they lead to is not there, or not theirs any more."""
    for service in services:
        remove(service["reloads"]["site"])
        run("systemctl", "reload", service["unit"])


def _in_the_way(service):
    """Whether it listens on a port at another address than it is to: it cannot have both at a time."""
    wanted = dict(reversed(it.rsplit(":", 1)) for it in service["reloads"]["listens"])
    with open("/proc/net/tcp", encoding="ascii") as file:
        fields = [line.split() for line in file][1:]
    for address, port in [it[1].split(":") for it in fields if it[3] == "0A"]:
        ours = wanted.get(str(int(port, 16)))
        if ours and ours != socket.inet_ntoa(struct.pack("=I", int(address, 16))):
            return True
    return False


def _lacks(service):
    """Why it does not answer with its inputs; empty where it does."""
    try:
        answer = read_door(service["url"], service["reloads"]["certificate"])
    except OSError as error:
        return str(error)
    return "" if answer == service["fingerprint"] else "it runs with other inputs (%s)" % (answer or "none")


def _workers(unit):
    """The processes that its main process has started."""
    main = run("systemctl", "show", "--property", "MainPID", "--value", unit).stdout.strip()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as file:
                if file.read().rpartition(")")[2].split()[1] == main:
                    found.append(pid)
        except OSError:
            continue
    return found if main != "0" else []


def _accepting(workers):
    """Those of them that still take connections. One that shuts down serves its last ones to their end."""
    left = []
    for pid in workers:
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                if b"shutting down" not in file.read():
                    left.append(pid)
        except OSError:
            continue
    return "what it had before still answers (process %s)" % left[0] if left else ""


def _failure(service, reason):
    log = run("journalctl", "--quiet", "--output=cat", "--lines=15", "--unit", service["unit"]).stdout.strip()
    lines = (service["title"], service["unit"], reason, log or "none")
    return "%s (%s) does not serve: %s. Its last lines:\n%s" % lines
