"""Runs on the host as a job: pulls a container image by its digest, from the first place that has it.

By skopeo, which knows podman's and Docker's stores and refuses what has another digest than it was asked
for. The marker is written last: once it is there, the image is whole.

The request comes in the first argument.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time

from images import identity

STALL_SECONDS = 300  # without a byte; a large layer is unpacked meanwhile
TRANSPORTS = {"podman": "containers-storage:", "docker": "docker-daemon:"}

request = json.loads(sys.argv[1])
job = os.environ["JOB"]


def step(text):
    with open(os.path.join(job, "steps"), "a", encoding="utf-8") as file:
        file.write("%.3f %s\n" % (time.time(), text))


class NotHadError(Exception):
    """What a place answered instead of the image."""


def skopeo(place, *arguments, digest=""):
    """What skopeo reports of the image at a place; `digest`: of another manifest beside it."""
    scheme, _, name = place.partition("://")
    name = "%s@%s" % (name.partition("@")[0], digest) if digest else name
    tls = "--tls-verify=%s" % ("false" if scheme == "http" else "true")
    command = ["skopeo", "--override-arch", request["arch"], "--override-os", "linux"]
    command += ["inspect", *arguments, tls, "docker://" + name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise NotHadError(reason(done.stderr))
    return json.loads(done.stdout)


def reason(message):
    """What skopeo complains of last, without its log's own fields and the name, which stands beside it."""
    last = (message.strip().splitlines() or ["no message"])[-1]
    last = (last.partition(" msg=")[2].strip('"') or last).replace('\\"', '"')
    return re.sub(r'^Error \w+ image name "[^"]*": |^initializing source [^ ]*: ', "", last)


def bytes_at(place):
    """How much there is to pull. Ends the job where the image is of another architecture."""
    manifest = skopeo(place, "--raw")
    if "manifests" in manifest:
        found = [it["platform"]["architecture"] for it in manifest["manifests"] if "platform" in it]
        if request["arch"] not in found:
            foreign(", ".join(it for it in found if it != "unknown"))
        of_host = [
            it["digest"]
            for it in manifest["manifests"]
            if it.get("platform", {}).get("architecture") == request["arch"]
        ]
        manifest = skopeo(place, "--raw", digest=of_host[0])
    else:
        found = skopeo(place, "--config").get("architecture", "")
        if found != request["arch"]:
            foreign(found or "none named")
    return sum(layer.get("size", 0) for layer in manifest.get("layers", []))


def foreign(found):
    sys.exit(
        "required  an image for %s: that is the host's architecture\n" % request["arch"]
        + "found     %s, in %s\n" % (found, request["places"][-1].partition("://")[2])
        + "do        pin the digest of the multi-architecture image, or of the image for %s" % request["arch"]
    )


def size_of(folder):
    """Bytes below it; files come and go meanwhile."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except OSError:
                continue
    return total


def copy(place, want):
    """Copy the image into the engine's store, and write down how far it is."""
    scheme, _, name = place.partition("://")
    command = ["skopeo", "--override-arch", request["arch"], "--override-os", "linux"]
    command += ["--tmpdir", request["cache"], "copy", "--retry-times", "2"]
    command += ["--src-tls-verify=%s" % ("false" if scheme == "http" else "true")]
    command += ["docker://" + name, TRANSPORTS[request["engine"]] + request["image"]]
    log = os.path.join(job, "log")
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        have, grew = 0, time.monotonic()
        while process.poll() is None:
            time.sleep(0.5)
            now = size_of(request["cache"])
            if now > have:
                have, grew = now, time.monotonic()
            with open(os.path.join(job, "progress"), "w", encoding="utf-8") as file:
                file.write("bytes %d %d\n" % (want, min(have, want)))
            if time.monotonic() - grew > STALL_SECONDS:
                process.kill()
                process.wait()
                raise NotHadError("nothing for %d s" % STALL_SECONDS)
    if process.returncode:
        with open(log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if "no space left on device" in text:
            full(want)
        raise NotHadError(reason(text))
    with open(os.path.join(job, "fetched"), "w", encoding="utf-8") as file:
        file.write("%d\n" % have)


def full(want):
    free = shutil.disk_usage("/var").free
    sys.exit(
        "required  room for an image of %d MB, packed, in /var: about four times that\n" % (want / 1e6 + 1)
        + "found     %d MB free; the pulled part is deleted now\n" % (free / 1e6)
        + "do        free some space there, or enlarge it, and run again"
    )


def take_out():
    """Copy a program of the image to the host, where others than the container call it."""
    program, home, engine = request["program"], request["home"], request["engine"]
    part = home + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part + "/bin")
    container = call(engine, "create", "--pull=never", "--network=none", request["image"]).strip()
    try:
        call(engine, "cp", container + ":" + program, part + "/bin/")
    finally:
        call(engine, "rm", container)
    path = os.path.join(part, "bin", os.path.basename(program))
    os.chown(path, 0, 0)
    os.chmod(path, 0o755)
    shutil.rmtree(home, ignore_errors=True)
    os.rename(part, home)


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(command[:2]), done.stderr.strip()))
    return done.stdout


def main():
    os.umask(0o022)
    shutil.rmtree(request["cache"], ignore_errors=True)
    os.makedirs(request["cache"], mode=0o700)
    refused = []
    try:
        for place in request["places"]:
            try:
                step("%s: pull from %s" % (request["title"], place.split("/")[2]))
                want = bytes_at(place)
                copy(place, want)
                break
            except (NotHadError, subprocess.TimeoutExpired, LookupError, ValueError) as error:
                refused.append("source    %s\nanswered  %s" % (place.partition("://")[2], error))
        else:
            refused.append("No source supplied the image: nothing of it is in place.")
            sys.exit("\n".join(refused))
    finally:
        shutil.rmtree(request["cache"], ignore_errors=True)
    found = identity(request["engine"], request["image"])
    if not found:
        call(request["engine"], "image", "inspect", request["image"])
        sys.exit("%s does not have %s although it was copied there" % (request["engine"], request["image"]))
    if request["program"]:
        take_out()
    record = {key: request[key] for key in ("engine", "image", "digest")}
    with open(request["marker"] + ".part", "w", encoding="utf-8") as file:
        json.dump(dict(record, id=found, source=place, bytes=want), file)
        file.write("\n")
    os.rename(file.name, request["marker"])
    step("done")


main()
