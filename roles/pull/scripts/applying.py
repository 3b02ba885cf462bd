"""Runs on the host: applies a plan by the run that an operator would start, and knows how that ended."""

import os
import subprocess

from laying import CACHE

# Where the switch leaves why it took a generation back.
_TAKEN_BACK = "/opt/venom/jobs/activate/error"
_SUMMARY = "--> In the end:\n"
_LINES = 20


def applied(house, environment, python):
    """Run deploy/venom.py on this host: whether it went well, whether the switch was taken back, and why."""
    variables = {
        **{"HOME": "/root", "LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin")},
        **{"PYTHONPATH": house + os.pathsep + environment, "XDG_CACHE_HOME": CACHE},
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    line = [python, "-s", "-m", "pyinfra", "-y", "inventories/fleet.py", "deploy/venom.py"]
    before = _mark(_TAKEN_BACK)
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    done = subprocess.run(
        line, cwd=house, env=variables, stdin=nothing, stdout=pipe, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode("utf-8", "replace")
    after = _mark(_TAKEN_BACK)
    return done.returncode == 0, after is not None and after != before, ending(output)


def ending(output):
    """What a run says in the end: its summary, or its last lines where it did not come to that."""
    _, summed_up, summary = output.rpartition(_SUMMARY)
    lines = [line for line in (summary if summed_up else output).splitlines() if line.strip()]
    return "\n".join(lines[-_LINES:])


def _mark(path):
    """What changes when the file is written anew; None where there is none."""
    try:
        it = os.stat(path)
    except OSError:
        return None
    return it.st_ino, it.st_mtime_ns
