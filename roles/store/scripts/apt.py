"""Runs on the host that serves the store, imported by its job: gets a part of Debian's archive, by apt.

apt verifies what comes by the digests that Debian signed. What it has got is verified once more before it
gets its name in the tree.
"""

import errno
import glob
import lzma
import os
import shutil
import subprocess

import archive
import receive
import tree
from receive import NotHadError

KEYRING = os.environ.get("VENOM_KEYRING", archive.KEYRING)
_LINES = 6


def releases(every):
    """The Debian packages that are wanted, by the release for which they are."""
    found = {}
    for it in every.values():
        if it["kind"] == "debian":
            found.setdefault(it["fits"][0], []).append(it)
    return found


def fetch(codename, items, job):
    """Get what these items of a release need, as Debian has it now. Raises NotHadError, OSError."""
    names = {}
    for it in items:
        names.setdefault(it["fits"][1], []).append(it["name"])
    if not os.path.exists(KEYRING):
        raise NotHadError("this host has no %s: apt-get install debian-archive-keyring" % KEYRING)
    answers = []
    for place in places(codename, items):
        try:
            part = Part(codename, place, names)
            part.get(job)
            part.publish()
            return
        except NotHadError as error:
            answers.append("%s: %s" % (place[0], error))
    raise NotHadError("\n".join(answers))


def places(codename, items):
    """Where the archive is looked for: as this host gets its own packages, then where the items say."""
    found = []
    text = run("apt-get", "indextargets", "--format", archive.TARGETS, "Created-By: Packages").stdout
    if mine := archive.own(text, _own_codename()):
        found.append(mine)
    found += [archive.folder(base) for it in items for base in it["origins"]]
    return list(dict.fromkeys(found))


def _own_codename():
    with open("/etc/os-release", encoding="utf-8") as file:
        fields = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    return fields.get("VERSION_CODENAME", "").strip('"') if fields.get("ID") == "debian" else ""


class Part:
    """What hosts of a release need of the archive, at one place."""

    def __init__(self, codename, place, names):
        self.codename, self.place, self.names = codename, place, names
        self.root = os.path.join(tree.APT, codename)
        self.archives = os.path.join(self.root, "cache", "archives")
        self.faces = {}  # path in the tree → hex sha256
        self.links = {}  # the same of what makes the rest seen, and comes last

    def get(self, job):
        """Let in all of it. Raises NotHadError, OSError."""
        self._prepare()
        self._forget_unpacked()
        self._apt(sorted(self.names), "update", "--error-on=any")
        self._unpack()
        for arch, names in sorted(self.names.items()):
            printed = self._apt([arch], *archive.INSTALL, "--print-uris", *sorted(names))
            debs = archive.debs(self.place, printed)
            lacking = [it for it in debs if not os.path.exists(tree.path_of("sha256", it.sha256))]
            job.want += sum(it.size for it in lacking)
            _room(sum(it.size for it in lacking))
            self._download(arch, names, debs, lacking)
            for it in lacking:
                let_in(os.path.join(self.archives, it.file), it.sha256)
                job.came(it.size)
            self.faces.update({it.face: it.sha256 for it in debs})
        self._lists()
        self._forget_unpacked()
        shutil.rmtree(self.archives)

    def publish(self):
        """Let hosts see it: first what is fetched, then what names it."""
        for faces in (self.faces, self.links):
            for face, digest in faces.items():
                tree.link(face, digest)
        text = archive.described(self.names, dict(self.faces, **self.links))
        tree.write(tree.path_of(archive.record(self.codename)), text)

    def _prepare(self):
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            os.makedirs(os.path.join(self.root, name), exist_ok=True)
        self._write("status", "")
        self._write("sources.list", archive.sources(self.place, self.codename, KEYRING))

    def _unpack(self):
        """apt reads here and there in a list: in one that is compressed, each time from its beginning."""
        for path in glob.glob(os.path.join(self.root, "state", "lists", "*_Packages.xz")):
            with lzma.open(path) as packed, open(path[: -len(".xz")], "wb") as file:
                shutil.copyfileobj(packed, file)

    def _forget_unpacked(self):
        """Else the next update would take them for its own."""
        for path in glob.glob(os.path.join(self.root, "state", "lists", "*_Packages")):
            os.unlink(path)

    def _write(self, name, text):
        path = os.path.join(self.root, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _apt(self, archs, *arguments):
        configuration = self._write("apt.conf", archive.configuration(self.root, archs, packed=True))
        done = run("apt-get", "-q", "-c", configuration, *arguments)
        if done.returncode:
            output = "%s%s" % (done.stdout, done.stderr)
            raise NotHadError("\n".join(output.strip().splitlines()[-_LINES:]))
        return done.stdout

    def _download(self, arch, names, debs, lacking):
        if not lacking:
            return
        # What the tree has, apt takes for downloaded.
        for it in debs:
            path = os.path.join(self.archives, it.file)
            if it not in lacking and not os.path.lexists(path):
                os.symlink(tree.path_of("sha256", it.sha256), path)
        self._apt([arch], *archive.INSTALL, "--download-only", *sorted(names))

    def _lists(self):
        for root, suite in archive.suites(self.codename):
            face = archive.release(root, suite)
            path = os.path.join(self.root, "state", "lists", archive.list_file(self.place, face))
            with open(path, encoding="utf-8", errors="replace") as file:
                signed = file.read()
            for arch in self.names:
                it = archive.index(root, suite, arch, signed)
                if it is None:
                    raise NotHadError("%s has no list of packages for %s" % (suite, arch))
                file = archive.list_file(self.place, it.faces[0])
                if not os.path.exists(os.path.join(self.root, "state", "lists", file)):
                    continue  # one of no packages, which no apt asks for
                if not os.path.exists(tree.path_of("sha256", it.sha256)):
                    let_in(self._copy(file), it.sha256)
                self.faces.update(dict.fromkeys(it.faces, it.sha256))
            copy = self._copy(os.path.basename(path))
            self.links[face] = let_in(copy, receive.digests(copy)[0][len("sha256:") :])

    def _copy(self, name):
        """A list as apt has it, which keeps its own for the next time."""
        return shutil.copyfile(
            os.path.join(self.root, "state", "lists", name), os.path.join(self.archives, name)
        )


def let_in(path, sha256):
    """Give a file its name in the tree, if it is right. Raises NotHadError."""
    found = receive.digests(path)
    if found[0] != "sha256:" + sha256:
        os.unlink(path)
        raise NotHadError("%s has other content: %s" % (os.path.basename(path), found[0]))
    return receive.let_in(path, found)


def _room(size):
    disk = os.statvfs(tree.ROOT)
    if size > disk.f_bavail * disk.f_frsize:
        raise OSError(errno.ENOSPC, "no room for %d MB of Debian packages" % (size / 1e6))


def run(*command):
    environment = dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        raise NotHadError("this host has no apt") from None
