"""Runs on the host: reads a published plan, whose signature is by somebody whom the host knows."""

import json
import subprocess
import tempfile

from fault import PullError
from form import END, FORM, NAMESPACE


def read(published, signers, host):
    """The plan in this text, if one of the signers signed it and it is this host's. Raises PullError."""
    signature, end, text = published.partition(END.encode())
    if not end:
        raise PullError(
            "a signed plan at the store",
            "%d bytes without a signature" % len(published),
            "publish it again: deploy/publish.py",
        )
    verify(signature + end, text, signers)
    plan = json.loads(text.decode())
    if plan["form"] != FORM:
        found, do = "form %s" % plan["form"], "run deploy/venom.py here once, from the clone that publishes"
        raise PullError("a plan of form %d, which this host reads" % FORM, found, do)
    if plan["host"] != host:
        raise PullError("the plan of %s" % host, "that of %s" % plan["host"], "publish it again")
    return plan


def verify(signature, text, signers):
    """Raise PullError where nobody whom the host knows has signed this text, and for this purpose."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        line = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "venom", "-n", NAMESPACE, "-s", file.name]
        try:
            done = subprocess.run(
                line, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
        except OSError as error:
            raise PullError("ssh-keygen", str(error), "apt-get install openssh-client") from None
    if done.returncode != 0:
        printed = " ".join(done.stdout.decode("utf-8", "replace").split()) or "ssh-keygen printed nothing"
        raise PullError(
            "a plan that one of the inventory's `pull.signers` has signed",
            printed,
            "publish it with such a key; if you did, find out who else writes to the store",
        )
