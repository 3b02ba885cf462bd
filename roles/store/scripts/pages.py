"""Runs on the host that serves the store, imported by its scripts: what uv and npm read before they fetch."""

import contextlib
import json
import os

import faces
import tree


def write_page(face):
    """The page of a Python package: every file of it that is held, with its digest (PEP 503)."""
    files = [(name, digest[len("sha256:") :]) for name, digest in tree.package(face).items()]
    path = tree.path_of(face, "index.html")
    if files:
        tree.write(path, faces.index_page(files))
    else:
        forget(path)


def write_version(item):
    """What npm asks of a package, with this tarball."""
    name, _, version = item["name"].rpartition(" ")
    versions = _versions(name)
    versions[version] = faces.npm_version(name, version, item["face"], item["digests"][0])
    _write_versions(name, versions)


def forget_tarball(face):
    """The same without a tarball that is gone."""
    name = face.partition("/")[2].partition("/-/")[0]
    gone = faces.npm_tarball(face)
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
        tree.write(_path(name), faces.npm_page(name, versions))
    else:
        forget(_path(name))
