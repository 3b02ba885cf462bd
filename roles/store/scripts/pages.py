"""Runs on the host that serves the store, imported by its scripts: what uv and npm read before they fetch."""

import contextlib
import html
import json
import os

import tree


def write_page(face):
    """The page of a Python package: every file of it that is held, with its digest (PEP 503)."""
    lines = [
        '<a href="%s#%s">%s</a><br>\n' % (html.escape(name), digest.replace(":", "="), html.escape(name))
        for name, digest in tree.package(face).items()
    ]
    path = tree.path_of(face, "index.html")
    if lines:
        tree.write(path, "<!DOCTYPE html>\n" + "".join(lines))
    else:
        forget(path)


def write_version(item):
    """What npm asks of a package, with this tarball; npm puts its own registry in the place of that host."""
    name, _, version = item["name"].rpartition(" ")
    versions = _versions(name)
    url = "https://registry.npmjs.org/" + item["face"].partition("/")[2]
    dist = {"tarball": url, "integrity": item["digests"][0]}
    versions[version] = {"name": name, "version": version, "dist": dist}
    _write_versions(name, versions)


def forget_tarball(face):
    """The same without a tarball that is gone."""
    name = face.partition("/")[2].partition("/-/")[0]
    gone = "https://registry.npmjs.org/" + face.partition("/")[2]
    _write_versions(name, {v: it for v, it in _versions(name).items() if it["dist"]["tarball"] != gone})


def forget(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _path(name):
    return tree.path_of("npm", name, "index.json")


def _versions(name):
    try:
        with open(_path(name), encoding="utf-8") as file:
            return json.load(file)["versions"]
    except (OSError, ValueError, LookupError):
        return {}


def _write_versions(name, versions):
    if versions:
        tags = {"latest": list(versions)[-1]}
        tree.write(_path(name), json.dumps({"name": name, "dist-tags": tags, "versions": versions}))
    else:
        forget(_path(name))
