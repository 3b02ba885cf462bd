"""Of a package that file is chosen that a host of its Python and architecture would install."""

from __future__ import annotations

import json

import pytest

from fleet.bundle.index import File, chosen, files
from roles.store.scripts.faces import index_page

PAGE = "https://index.example.org/simple/numpy/"
NAMES = [
    "numpy-1.26.4-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "numpy-1.26.4-cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
    "numpy-1.26.4-cp312-cp312-manylinux_2_28_x86_64.whl",
    "numpy-1.26.4-cp312-cp312-manylinux_2_41_x86_64.whl",
    "numpy-1.26.4-cp312-cp312-musllinux_1_1_x86_64.whl",
    "numpy-1.26.4-cp312-cp312-macosx_11_0_arm64.whl",
    "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "numpy-1.26.4.tar.gz",
]
FOUND = [File(name, f"{PAGE}{name}", f"{number:064}") for number, name in enumerate(NAMES)]
DIGESTS = {f"sha256:{it.sha256}" for it in FOUND}


def _chosen(python: str, arch: str, found: list[File] = FOUND, digests: set[str] = DIGESTS) -> str | None:
    file = chosen(found, digests, python, arch)
    return file.name if file else None


def test_the_wheel_for_python_architecture_and_the_oldest_system_is_chosen() -> None:
    assert _chosen("3.12", "amd64") == NAMES[2]
    assert _chosen("3.12", "arm64") == NAMES[1]
    assert _chosen("3.11", "amd64") == NAMES[6]


def test_what_no_wheel_fits_is_built_of_its_source() -> None:
    assert _chosen("3.13", "amd64") == "numpy-1.26.4.tar.gz"
    assert _chosen("3.13", "amd64", FOUND[:-1]) is None


def test_a_file_without_a_digest_of_the_lock_is_not_chosen() -> None:
    assert _chosen("3.12", "amd64", digests=DIGESTS - {f"sha256:{FOUND[2].sha256}"}) == NAMES[0]
    assert _chosen("3.12", "amd64", digests=set()) is None


@pytest.mark.parametrize(
    "name", ["a-1-py3-none-any.whl", "a-1-cp39-abi3-manylinux2014_x86_64.whl", "a-1-py2.py3-none-any.whl"]
)
def test_a_wheel_for_more_pythons_fits(name: str) -> None:
    assert _chosen("3.12", "amd64", [File(name, name, "0" * 64)], {f"sha256:{'0' * 64}"}) == name


def test_a_name_that_is_none_is_passed_over() -> None:
    found = [File("no-wheel.whl", "x", "0" * 64), File("a.exe", "x", "0" * 64)]
    assert _chosen("3.12", "amd64", found, {f"sha256:{'0' * 64}"}) is None


def test_both_forms_of_a_page_say_the_same() -> None:
    listed = [{"filename": it.name, "url": it.name, "hashes": {"sha256": it.sha256}} for it in FOUND]
    assert files(json.dumps({"files": listed}), PAGE, "application/vnd.pypi.simple.v1+json") == FOUND
    assert files(index_page((it.name, it.sha256) for it in FOUND), PAGE, "text/html") == sorted(
        FOUND, key=lambda it: it.name
    )


def test_links_of_a_page_lead_elsewhere_and_may_be_encoded() -> None:
    text = '<a href="../../files/a-1%2Bcpu-py3-none-any.whl#sha256=00">a</a><a href="b-1.zip">b</a><a>c</a>'
    first, second = files(text, PAGE, "text/html")
    assert first == File(
        "a-1+cpu-py3-none-any.whl", "https://index.example.org/files/a-1%2Bcpu-py3-none-any.whl", "00"
    )
    assert second.sha256 == ""


@pytest.mark.parametrize("text", ["{}", "[]", '{"files": [1]}', "<html>"])
def test_what_is_no_page_of_an_index_is_a_fault(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        files(text, PAGE, "application/json")
