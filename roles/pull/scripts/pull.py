"""Runs on the host, by a timer: fetches the host's signed plan, applies it, and reports that at the store.

Arguments: the file of the question (the host's name, the store, the period in seconds), and that of the
allowed signers. What it knows of former plans is its record. Ends with 1, and one message, where the plan
was not applied; what served before serves on.
"""

import json
import os
import sys
import time

import applying
import fetching
import laying
import signed
from fault import PullError

RECORD = os.path.join(laying.KEPT, "record.json")


def main():
    question, signers = read(sys.argv[1]), sys.argv[2]
    record = read(RECORD)
    store, host = question["store"], question["host"]
    try:
        result, why = pulled(store, host, signers, record)
    except PullError as error:
        result, why = "refused", str(error)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # Signed, and yet no plan: whoever published it had another program.
        unread = PullError("a plan that this host can read", repr(error), "publish it again")
        result, why = "refused", str(unread)
    now = int(time.time())
    record.update(host=host, every=question["every"], tried_at=now, result=result, why=why[-4000:])
    if result == "applied":
        record.update(applied=record["accepted"], applied_at=now)
    write(record)
    ended = [why] if why else []
    try:
        fetching.report("%s/receipts/%s.json" % (store, host), json.dumps(record, indent=1) + "\n")
    except PullError as error:
        ended.append(str(error))
    if ended:
        sys.exit("\n".join(ended))


def pulled(store, host, signers, record):
    """Fetch, verify and apply: how that ended, and why. Raises PullError where nothing was tried."""
    plan = signed.read(fetching.plan("%s/pull/%s.signed" % (store, host)), signers, host)
    serial, accepted = plan["serial"], record.get("accepted", 0)
    if serial < accepted:
        raise PullError(
            "a plan that is not older than %d, which this host has accepted" % accepted,
            "%d" % serial,
            "publish it again; if you did not publish the older one, find out who writes to the store",
        )
    if serial == record.get("taken_back"):
        # Once is enough: it would take the services down once a period.
        return "taken back", record["why"]
    house, environment = laying.lay_down(plan, store)
    # From here on no older one, however this ends.
    record["accepted"] = serial
    write(record)
    well, taken_back, why = applying.applied(house, environment, sys.executable)
    if taken_back:
        record["taken_back"] = serial
    if not well:
        return ("taken back" if taken_back else "failed"), why
    laying.forget_others(house, environment)
    return "applied", ""


def read(path):
    """What JSON the file holds; nothing where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def write(record):
    """The record, which is there whole, or as it was."""
    os.makedirs(laying.KEPT, mode=0o700, exist_ok=True)
    with open(RECORD + ".part", "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.rename(RECORD + ".part", RECORD)


if __name__ == "__main__":
    main()
