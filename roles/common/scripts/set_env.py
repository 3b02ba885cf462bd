"""Runs on the host: sets keys of an environment file and leaves every other line as it is.

The request comes on standard input, so no value is ever an argument. The new file is made beside the
old one, readable by nobody else, and renamed over it. Values arrive quoted.
"""

import json
import os
import pwd
import sys

asked = json.load(sys.stdin)
path, values, absent = asked["path"], dict(asked["values"]), set(asked["absent"])
owner = pwd.getpwnam(asked["owner"])


lines = []
if os.path.exists(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = file.read().splitlines()
kept = []
for line in lines:
    key = line.partition("=")[0].strip()
    if "=" not in line or line.lstrip().startswith("#"):
        kept.append(line)
    elif key in values:
        kept.append("%s=%s" % (key, values.pop(key)))
    elif key not in absent:
        kept.append(line)
kept += ["%s=%s" % (key, value) for key, value in sorted(values.items())]

part = path + ".part"
if os.path.lexists(part):
    os.unlink(part)
descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
    file.write("".join(line + "\n" for line in kept))
    file.flush()
    os.fchown(file.fileno(), owner.pw_uid, owner.pw_gid)
    os.fsync(file.fileno())
os.rename(part, path)
