"""Runs on the host: files, links and settings made as a generation says, each whole or not at all."""

import os
import pwd
import shutil
import subprocess


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


def write(path, text, owner="root", mode=0o644):
    """A file that appears whole, readable by nobody who may not read it, at any moment."""
    user = pwd.getpwnam(owner)
    part = path + ".part"
    if os.path.lexists(part):
        os.unlink(part)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fchown(file.fileno(), user.pw_uid, user.pw_gid)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.rename(part, path)


def read(path):
    """The file's text, or None. Never through a link: in a folder that is not root's it may lead to
    what only root can read, and end up in a file that others can."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None


def link(path, target):
    if os.path.islink(path) and os.readlink(path) == target:
        return
    part = path + ".part"
    if os.path.lexists(part):
        os.unlink(part)
    os.symlink(target, part)
    os.rename(part, path)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def settings(path, values, absent, owner):
    """Set keys of a file that others write into, too; every other line stays as it is."""
    lines, left = [], dict(values)
    for line in (read(path) or "").splitlines():
        key = line.partition("=")[0].strip()
        if "=" not in line or line.lstrip().startswith("#"):
            lines.append(line)
        elif key in values:
            if key in left:
                lines.append("%s=%s" % (key, left.pop(key)))
        elif key not in absent:
            lines.append(line)
    lines += ["%s=%s" % (key, value) for key, value in sorted(left.items())]
    text = "".join(line + "\n" for line in lines)
    if text != read(path) or os.stat(path).st_mode & 0o777 != 0o600:
        write(path, text, owner, 0o600)


def managed(generation):
    return {key for it in generation["resources"] if it["kind"] == "settings" for key in it["values"]}


def apply(generation, before):
    """Make every resource so. `before` is what was applied last: its other keys are taken out."""
    gone = (managed(before) if before else set()) - managed(generation)
    for it in generation["resources"]:
        kind, path = it["kind"], it.get("path", "")
        if kind == "directory":
            user = pwd.getpwnam(it["owner"])
            os.makedirs(path, exist_ok=True)
            os.chown(path, user.pw_uid, user.pw_gid)
            os.chmod(path, int(it["mode"], 8))
        elif kind == "file":
            write(path, it["content"], it["owner"], int(it["mode"], 8))
        elif kind == "link":
            link(path, it["target"])
        elif kind == "settings":
            settings(path, it["values"], gone, it["owner"])
        elif kind == "absent":
            if path.endswith(".service") and os.path.lexists(path):
                # Its links go with it.
                run("systemctl", "disable", "--quiet", "--no-reload", os.path.basename(path))
            remove(path)
            folder = os.path.dirname(path)
            # A folder of drop-ins goes with its last one; what others put there stays.
            if folder.endswith(".service.d") and os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)
    # A unit of ours may be wanted by another now; one of a package is as it was, if it is enabled.
    ours = {os.path.basename(it["path"]) for it in generation["resources"] if it["kind"] == "file"}
    for unit in [it["unit"] for it in generation["resources"] if it["kind"] == "enabled"]:
        if unit in ours or run("systemctl", "is-enabled", unit).stdout != "enabled\n":
            # So it was kept from starting while its package came.
            run("systemctl", "unmask", "--quiet", "--no-reload", "--runtime", unit)
            run("systemctl", "enable", "--quiet", "--no-reload", unit)
    # Once: with its generators it takes a fifth of a second.
    run("systemctl", "daemon-reload")
