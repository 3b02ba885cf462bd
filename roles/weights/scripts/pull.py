"""Runs on the host as a job: lets Ollama pull a model, and keeps it only if its digest is the pin's.

The request comes in the first argument. Ollama reports a failure as a line in a stream under status
200, and keeps what it has of a blob, so a pull that was cut off goes on where it was.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

asked = json.loads(sys.argv[1])
api, name, pull_name, digest = asked["api"], asked["name"], asked["pull_name"], asked["digest"]
job = os.environ["JOB"]


def step(text):
    with open(os.path.join(job, "steps"), "a", encoding="utf-8") as file:
        file.write("%.3f %s\n" % (time.time(), text))


def call(path, body=None, method=None):
    request = urllib.request.Request(
        api + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        return urllib.request.urlopen(request, timeout=300)
    except urllib.error.HTTPError as error:
        sys.exit("Ollama answered %s to %s: %s" % (error.code, path, error.read().decode()[:500]))
    except OSError as error:
        sys.exit("Ollama does not answer at %s: %s" % (api, error))


def digest_of(wanted):
    for model in json.load(call("/api/tags"))["models"]:
        if model["name"] == wanted:
            return model["digest"].split(":")[-1]
    return None


def pull():
    done, totals, said = {}, {}, ""
    body = {"model": pull_name, "insecure": asked["insecure"], "stream": True}
    for line in call("/api/pull", body):
        report = json.loads(line)
        if "error" in report:
            sys.exit("source    %s\nanswered  %s" % (pull_name, report["error"]))
        if report.get("total"):
            done[report["digest"]] = report.get("completed", 0)
            totals[report["digest"]] = report["total"]
            with open(os.path.join(job, "progress"), "w", encoding="utf-8") as file:
                file.write("%d %d\n" % (sum(done.values()), max(asked["size"], sum(totals.values()))))
        elif report.get("status") != said:
            said = report.get("status", "")
            print(said, flush=True)
    if said != "success":
        sys.exit("source    %s\nanswered  the pull ended without success: %s" % (pull_name, said))


step("pull %s" % pull_name)
pull()
found = digest_of(pull_name)
if found != digest:
    call("/api/delete", {"model": pull_name}, method="DELETE")
    sys.exit(
        "source    %s\nexpected  manifest sha256 %s\nfound     manifest sha256 %s\n"
        "The model was removed again." % (pull_name, digest, found)
    )
if pull_name != name:
    step("name it %s" % name)
    call("/api/copy", {"source": pull_name, "destination": name})
    call("/api/delete", {"model": pull_name}, method="DELETE")
step("done")
