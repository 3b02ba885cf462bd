"""Runs on the host: what a service has written is copied aside before other code of it starts.

If the switch is taken back, that is put back, too: a release may ruin its data before it dies.
"""

import os

import snapshots
from switch_files import run
from switch_services import NotServingError, report, step


class Data:
    """What services have written, in one switch from a generation to another.

    `wanted`: the key of the generation whose copy is to be put back; empty for none.
    """

    def __init__(self, generation, before, before_key, wanted=""):
        self.services = concerned(generation, before, bool(wanted))
        self.before_key, self.key = before_key, wanted
        self.wanted = snapshots.all_of(wanted)[-1:] if wanted else []
        self.taken = {}  # path -> the copy

    def exchange(self):
        """Copy what is there, and put back what is wanted. Raises NotServingError, with nothing changed."""
        if self.key and not (self.wanted and self.services):
            raise NotServingError("There is no copy of the data of %s any more." % self.key)
        for unit, path in self.services:
            run("systemctl", "stop", unit)
            step("copy %s" % path)
            try:
                copied = snapshots.take(self.before_key, path)
                for snapshot in self.wanted:
                    step("put back %s" % path)
                    snapshots.put_back(snapshot, path)
                    report(
                        "%s is as it was at %s; what it was since lies in %s" % (path, at(snapshot), copied)
                    )
            except OSError as error:
                raise NotServingError("%s was not copied:\n%s" % (path, error)) from error
            self.taken[path] = copied

    def undo(self, failed):
        """Put back what was copied, and keep what the generation of the key `failed` has made of it.

        Returns how that went, for the operator; empty where nothing was copied.
        """
        outcomes = []
        for unit, path in self.services:
            if path not in self.taken:
                continue
            run("systemctl", "stop", unit)
            step("put back %s" % path)
            try:
                left = snapshots.take(failed, path)
                snapshots.put_back(self.taken[path], path)
            except OSError as error:
                outcomes.append(
                    "%s could not be put back; what it was lies in %s.\n%s" % (path, self.taken[path], error)
                )
            else:
                outcomes.append("%s is as before; what became of it lies in %s." % (path, left))
        return "\n".join(outcomes)


def at(snapshot):
    """When it was made, for the operator."""
    made = snapshot.rpartition(".")[2]
    return "%s-%s-%s %s:%s UTC" % (made[:4], made[4:6], made[6:8], made[9:11], made[11:13])


def concerned(generation, before, always=False):
    """Unit and folder of the services that go on with other code than before.

    `always`: with the same code, too. A generation of an earlier provisioner does not name its code.
    """
    earlier = {it["unit"]: it for it in before["services"]} if before else {}
    found = []
    for service in generation["services"]:
        old = earlier.get(service["unit"])
        if old is None:
            continue
        data, was = service.get("data") or {}, old.get("data") or {}
        path = data.get("path") or was.get("path", "")
        other = old["fingerprint"] != service["fingerprint"] and data.get("code") != was.get("code", "")
        if (always or other) and os.path.isdir(path):
            found.append((service["unit"], path))
    return found
