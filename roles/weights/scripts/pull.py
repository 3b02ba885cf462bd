"""Runs on the host as a job: pulls a model, and keeps it only if its digest is the pin's.

By an `ollama serve` of its own, on a port of its own, which ends with the job: the pinned Ollama's
store gets its weights before anything that serves is touched. Ollama reports a failure as a line in a
stream under status 200, and keeps what it has of a blob, so a pull that was cut off goes on where it was.

The request comes in the first argument.
"""

import json
import os
import pwd
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

# What is asked is on this very host, whatever proxy the job is given.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

request = json.loads(sys.argv[1])
name, digest = request["name"], request["digest"]
models, job = request["models"], os.environ["JOB"]


class NotHadError(Exception):
    """What a place answered instead of these weights."""


def step(text):
    with open(os.path.join(job, "steps"), "a", encoding="utf-8") as file:
        file.write("%.3f %s\n" % (time.time(), text))


def serve():
    """Start Ollama on a free port of loopback, as its user; returns its process and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % free.getsockname()[1]
    user = pwd.getpwnam("ollama")
    # NOPRUNE: it must not take a blob whose manifest is only being pulled for garbage.
    environment = dict(request["env"], HOME=user.pw_dir, OLLAMA_HOST=address, OLLAMA_NOPRUNE="1")
    passed = ("PATH", "SSL_CERT_FILE", *request["proxy"])
    environment.update({key: value for key, value in os.environ.items() if key in passed})
    log = open(os.path.join(job, "log"), "wb")  # noqa: SIM115 (it is the child's)
    command, own = request["command"], {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    if request["contained"]:
        own = {}  # the container is given its user
        command = [it.replace("{numbers}", "%d:%d" % (user.pw_uid, user.pw_gid)) for it in command]
        # The engine's own: in Ollama's, root's podman would look for settings.
        environment["HOME"] = os.environ["HOME"]
    server = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        umask=0o077, **own,
    )  # fmt: skip
    api = "http://" + address
    for _ in range(300):
        try:
            DIRECT.open(api + "/api/version", timeout=5).close()
            return server, api
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    server.kill()
    with open(os.path.join(job, "log"), encoding="utf-8", errors="replace") as file:
        sys.exit("this Ollama does not serve on this host:\n%s" % "".join(file.readlines()[-15:]))


def call(api, path, body=None, method=None):
    request = urllib.request.Request(
        api + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        return DIRECT.open(request, timeout=300)
    except urllib.error.HTTPError as error:
        sys.exit("Ollama answered %s to %s: %s" % (error.code, path, error.read().decode()[:500]))
    except OSError as error:
        sys.exit("Ollama does not answer at %s: %s" % (api, error))


def digest_of(api, wanted):
    for model in json.load(call(api, "/api/tags"))["models"]:
        if model["name"] == wanted:
            return model["digest"].split(":")[-1]
    return None


def full(there):
    """What to do on a disk without room: what was pulled goes again, because it is what fills it."""
    pulled = blobs() - there
    size = sum(os.path.getsize(it) for it in pulled)
    for blob in pulled:
        os.unlink(blob)
    disk = os.statvfs(models)
    return (
        "required  %d MB free in %s for %s\n" % (request["size"] / 1e6 + 1, models, name)
        + "found     %d MB, " % (disk.f_bavail * disk.f_frsize / 1e6)
        + "of which %d MB were filled before it was full\n" % (size / 1e6)
        + "do        free some space there, or enlarge it, and run again"
    )


def pull(api, there, pull_name, insecure):
    done, totals, status = {}, {}, ""
    body = {"model": pull_name, "insecure": insecure, "stream": True}
    for line in call(api, "/api/pull", body):
        report = json.loads(line)
        if "no space left on device" in report.get("error", ""):
            sys.exit(full(there))
        if "error" in report:
            raise NotHadError("source    %s\nanswered  %s" % (pull_name, report["error"]))
        if report.get("total"):
            done[report["digest"]] = report.get("completed", 0)
            totals[report["digest"]] = report["total"]
            with open(os.path.join(job, "progress"), "w", encoding="utf-8") as file:
                file.write("bytes %d %d\n" % (max(request["size"], sum(totals.values())), sum(done.values())))
        elif report.get("status") != status:
            status = report.get("status", "")
            print(status, flush=True)
    if status != "success":
        raise NotHadError("source    %s\nanswered  the pull ended without success: %s" % (pull_name, status))
    with open(os.path.join(job, "fetched"), "w", encoding="utf-8") as file:
        file.write("%d\n" % sum(done.values()))


def manifest_of(wanted):
    """Where Ollama keeps the manifest of a model: HOST/NAMESPACE/NAME/TAG."""
    path, _, tag = wanted.rpartition(":")
    parts = path.split("/")
    parts = ["registry.ollama.ai", "library"][: max(0, 3 - len(parts))] + parts
    return os.path.join(models, "manifests", *parts, tag)


def blobs():
    folder = os.path.join(models, "blobs")
    return {os.path.join(folder, it) for it in os.listdir(folder)} if os.path.isdir(folder) else set()


def clear():
    """What is there of these weights and is not whole goes: a pull takes for right what is there."""
    try:
        with open(manifest_of(name), encoding="utf-8") as file:
            document = json.load(file)
        parts = [
            (it["digest"].replace(":", "-"), it["size"]) for it in [document["config"], *document["layers"]]
        ]
    except (OSError, ValueError, LookupError, TypeError):
        return
    for blob, size in parts:
        path = os.path.join(models, "blobs", blob)
        if os.path.exists(path) and os.path.getsize(path) != size:
            step("damaged, pulled again: %s" % blob[:19])
            os.unlink(path)


def take_out(pull_name, before, there):
    """What was pulled is not what was asked for: what was there before is there again."""
    path = manifest_of(pull_name)
    if before is None:
        os.unlink(path)
    else:
        with open(path + ".part", "wb") as file:
            file.write(before)
        user = pwd.getpwnam("ollama")
        os.chown(file.name, user.pw_uid, user.pw_gid)
        os.rename(file.name, path)
    for blob in blobs() - there:
        os.unlink(blob)


def pull_from(api, pull_name, insecure):
    """Have the weights from this place, under their own name. Raises NotHadError."""
    there, before = blobs(), None
    if os.path.exists(manifest_of(pull_name)):
        with open(manifest_of(pull_name), "rb") as file:
            before = file.read()
    step("pull %s" % pull_name)
    pull(api, there, pull_name, insecure)
    found = digest_of(api, pull_name)
    if found != digest:
        take_out(pull_name, before, there)
        raise NotHadError(
            "source    %s\nexpected  manifest sha256 %s\nfound     manifest sha256 %s\n"
            "It was removed again; weights that were there before stay." % (pull_name, digest, found)
        )
    if pull_name != name:
        step("name it %s" % name)
        call(api, "/api/copy", {"source": pull_name, "destination": name})
        call(api, "/api/delete", {"model": pull_name}, method="DELETE")


def main():
    clear()
    server, api = serve()
    answers = []
    try:
        for place in request["places"]:
            try:
                pull_from(api, place["name"], place["insecure"])
                break
            except NotHadError as error:
                answers.append(str(error))
        else:
            sys.exit("\n".join(answers))
        step("done")
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


main()
