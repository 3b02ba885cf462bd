"""Runs on the host, by a timer: writes how it stands, for node-exporter. Changes nothing else.

Arguments: the file of the question; the folder of what is written. The question is JSON: `units`, which run
whatever generation serves; `versions`, name → a command whose last word it is; `speed`, whether the model's
is measured. Which services there are, the current generation says.
"""

import calendar
import json
import os
import sys
import time

import certificates
from differences import differing, named
from exposition import Samples
from reading import read_json
from serving import answers, current, described, models, shown, version
from speed import measured

RECEIPT = "/etc/venom/receipt.json"
FILE = "venom.prom"
MEMORY = "known.json"


def collect(question, known, now):
    """The samples. `known`: what the last collection left, which becomes what the next must know."""
    samples = Samples()
    key, generation = current()
    if generation is None:
        generation = {"name": "", "resources": [], "services": [], "stopped": [], "parts": []}
    units = shown(named(generation) + question["units"])
    services = generation["services"]
    replies = answers(services)
    receipt = read_json(RECEIPT)
    applied(samples, key, generation, receipt)
    for name, number in versions(question["versions"], known, key).items():
        samples.add("venom_version_info", 1, program=name, version=number)
    for it in services:
        service(samples, it["title"], it["unit"], units[it["unit"]])
        samples.add("venom_service_ready", not replies[it["unit"]], service=it["title"], unit=it["unit"])
        certificate(samples, it)
    for unit in question["units"]:
        service(samples, unit.rpartition(".")[0], unit, units[unit])
    unrecorded = not key or receipt.get("generation") != key
    samples.add("venom_drift", len(differing(generation, units, replies)) + unrecorded)
    model(samples, services, question["speed"], known, now)
    for name, period in question.get("pull", {}).items():
        pull(samples, name, period, os.path.join(question["receipts"], name + ".json"))
    return samples


def applied(samples, key, generation, receipt):
    plan = receipt.get("applied", {}).get("plan", {})
    samples.add(
        "venom_applied_info",
        1,
        generation=key,
        name=generation["name"],
        profile=plan.get("profile", ""),
        vram_tier=(plan.get("vram_tier") or {}).get("name", ""),
    )
    if receipt.get("at"):
        at = calendar.timegm(time.strptime(receipt["at"], "%Y-%m-%dT%H:%M:%SZ"))
        samples.add("venom_applied_time_seconds", at)


def versions(commands, known, key):
    """Name → version, of those that there are. They change with the generation, and are asked once for it."""
    if known.get("versions", {}).get("of") != [key, commands]:
        found = {name: version(command) for name, command in commands.items()}
        known["versions"] = {"of": [key, commands], "found": found}
    return {name: number for name, number in known["versions"]["found"].items() if number}


def service(samples, title, name, unit):
    seen = described(unit)
    labels = {"service": title, "unit": name}
    samples.add("venom_service_up", seen["state"] == "active", **labels)
    samples.add("venom_service_restarts_total", seen["restarts"], **labels)
    if seen["state"] == "active":
        samples.add("venom_service_start_time_seconds", seen["since"], **labels)
        samples.add("venom_service_memory_bytes", seen["memory"], **labels)


def certificate(samples, it):
    path = (it.get("reloads") or {}).get("certificate")
    seen = certificates.look_at(path) if path else None
    if seen:
        samples.add("venom_certificate_expiry_time_seconds", seen["until"], unit=it["unit"])


def model(samples, services, speed, known, now):
    """What the model server says of the model that the generation wants. Where it is silent, nothing."""
    for wanted in [it["model"] for it in services if it.get("model")]:
        name, have = wanted["name"], models(services)
        if have is None:
            return
        loaded = have["loaded"].get(name)
        whole = wanted["gpu"] and not wanted.get("may_spill", False)
        samples.add("venom_model_vram_wanted", whole, model=name)
        samples.add("venom_model_loaded", loaded is not None, model=name)
        if loaded:
            samples.add("venom_model_size_bytes", loaded["size"], model=name)
            samples.add("venom_model_vram_bytes", loaded["size_vram"], model=name)
            ratio = loaded["size_vram"] / loaded["size"] if loaded["size"] else 0.0
            samples.add("venom_model_vram_ratio", ratio, model=name)
        if speed:
            found = measured(wanted["api"], name, speed_of(known, name), now)
            known["speed"] = dict(found, model=name)
            if "tokens_per_second" in found:
                samples.add("venom_model_tokens_per_second", float(found["tokens_per_second"]), model=name)
                samples.add("venom_model_measured_time_seconds", found["at"], model=name)


def pull(samples, name, period, path):
    """What a host that pulls has reported here; times by this host's clock, but for what it applied."""
    receipt = read_json(path)
    samples.add("venom_pull_period_seconds", period, host=name)
    # Of one that never reported, as if it had in 1970: that is overdue, too.
    samples.add("venom_pull_receipt_time_seconds", int(os.path.getmtime(path)) if receipt else 0, host=name)
    samples.add("venom_pull_applied", receipt.get("result") == "applied", host=name)
    if isinstance(receipt.get("applied_at"), int):
        samples.add("venom_pull_applied_time_seconds", receipt["applied_at"], host=name)


def speed_of(known, name):
    """What is known of the speed of this model: that of another says nothing."""
    speed = known.get("speed", {})
    return speed if speed.get("model") == name else {}


def write(path, text):
    """A file that appears whole, for everybody to read."""
    with open(path + ".part", "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
    os.rename(path + ".part", path)


def main():
    begun, now = time.monotonic(), int(time.time())
    question, folder = read_json(sys.argv[1]), sys.argv[2]
    known = read_json(os.path.join(folder, MEMORY))
    samples = collect(question, known, now)
    samples.add("venom_collected_time_seconds", now)
    samples.add("venom_collection_seconds", round(time.monotonic() - begun, 3))
    write(os.path.join(folder, FILE), samples.text())
    write(os.path.join(folder, MEMORY), json.dumps(known))


if __name__ == "__main__":
    main()
