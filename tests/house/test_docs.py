"""The documents say the same in both languages, lead where they say, and what they show is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.verbs import VERBS
from schemas.data.contract import contract
from schemas.data.pins import load as load_pins
from schemas.inventory import load

ROOT = Path(__file__).parents[2]
FOUND = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
ENGLISH = sorted(path for path in FOUND if ".pl." not in path.name)
DOCUMENTS = [document for path in ENGLISH for document in (path, path.with_suffix(".pl.md"))]

# What the reader makes, following the README.
MADE_BY_THE_READER = {"inventories/office.yaml", "inventories/office.py"}
# In what code cites a document or a rule.
_KINDS = (".py", ".sh", ".j2", ".yaml")
FOLDERS = "audit|deploy|docs|engine|fleet|inventories|lab|roles|schemas|script|tests"

_FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(?P<level>#+) (?P<title>.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_CODE = re.compile(r"`(?P<text>[^`\n]+)`")
_CITED = re.compile(
    r"(?P<file>docs/[\w.]+\.md|README\.md|CONTRIBUTING\.md)(?:#(?P<anchor>[\w-]+)|, (?P<rule>[A-H]\d+))?"
)
_PATH = re.compile(rf"(?<![\w./-])(?P<path>(?:{FOLDERS})/[\w./-]*)")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=_name)


def _blocks(path: Path) -> Iterator[tuple[str, str]]:
    """The fenced blocks: what stands behind the fence, and the text."""
    for block in _FENCE.finditer(path.read_text(encoding="utf-8")):
        yield block["kind"].strip(), block["text"]


def _prose(path: Path) -> str:
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def _headings(path: Path) -> list[tuple[int, str]]:
    return [(len(heading["level"]), heading["title"]) for heading in _HEADING.finditer(_prose(path))]


def _anchors(path: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for _, title in _headings(path))
    return {title.replace(" ", "-") for title in plain}


def _examples(kind: str) -> list[tuple[str, str]]:
    return [(_name(path), text) for path in DOCUMENTS for language, text in _blocks(path) if language == kind]


@pytest.mark.parametrize("path", ENGLISH, ids=_name)
def test_every_document_has_a_polish_twin_of_the_same_structure(path: Path) -> None:
    twin = path.with_suffix(".pl.md")
    assert twin.exists()
    assert [level for level, _ in _headings(twin)] == [level for level, _ in _headings(path)]
    assert [kind for kind, _ in _blocks(twin)] == [kind for kind, _ in _blocks(path)]
    rows = [len(re.findall(r"^\|", _prose(one), re.MULTILINE)) for one in (twin, path)]
    assert rows[0] == rows[1]


def test_no_polish_document_is_without_an_english_one() -> None:
    assert set(FOUND) <= set(DOCUMENTS)


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    for link in _LINK.finditer(_prose(path)):
        if "://" in link["target"]:
            continue
        file, _, anchor = link["target"].partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link["target"]
        if anchor:
            assert anchor in _anchors(target), link["target"]


@pytest.mark.parametrize("path", ENGLISH, ids=_name)
def test_pictures_are_small_and_described_in_both_languages(path: Path) -> None:
    shown = [_PICTURE.findall(_prose(one)) for one in (path, path.with_suffix(".pl.md"))]
    assert [target for _, target in shown[0]] == [target for _, target in shown[1]]
    for text, target in (*shown[0], *shown[1]):
        assert text.strip(), target
        assert (path.parent / target).stat().st_size < 250_000, target
    for english, polish in zip(*shown, strict=True):
        assert english[0] != polish[0], english[1]


@each_document
def test_paths_that_are_named_exist(path: Path) -> None:
    code = [match["text"] for match in _CODE.finditer(_prose(path))]
    code += [text for kind, text in _blocks(path) if kind == "sh"]
    for text in code:
        for path_in_text in (match["path"] for match in _PATH.finditer(text)):
            assert path_in_text in MADE_BY_THE_READER or (ROOT / path_in_text).exists(), path_in_text


def test_what_the_code_cites_is_there() -> None:
    found = 0
    folders = [ROOT / it for it in FOLDERS.split("|") if it not in {"docs", "tests"}]
    for path in (it for folder in folders for kind in _KINDS for it in folder.rglob(f"*{kind}")):
        # What the bench and the lab's Venom have installed is others' text.
        if {".venv", "node_modules"} & set(path.parts):
            continue
        for cited in _CITED.finditer(path.read_text(encoding="utf-8")):
            where, target = f"{_name(path)} cites {cited[0]}", ROOT / cited["file"]
            assert target.exists(), where
            assert not cited["anchor"] or cited["anchor"] in _anchors(target), where
            assert not cited["rule"] or f"**{cited['rule']}.**" in target.read_text(encoding="utf-8"), where
            found += bool(cited["anchor"] or cited["rule"])
    assert found


@pytest.mark.parametrize(("where", "text"), _examples("yaml inventory"))
def test_an_inventory_that_is_shown_is_accepted(where: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "office.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path, {}).hosts, where


@pytest.mark.parametrize(("where", "text"), _examples("yaml pins"))
def test_pins_that_are_shown_are_accepted(where: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "pins.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_pins([(path, where)])[1] == []


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "README.pl.md"], ids=_name)
def test_the_readme_names_every_profile_and_tier_and_shows_an_inventory(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in (*contract().profiles, *contract().vram_tiers):
        assert f"| `{name}`" in text, name
    assert "yaml inventory" in [kind for kind, _ in _blocks(path)]


@pytest.mark.parametrize("end", [".md", ".pl.md"])
def test_the_documents_name_the_defaults_of_the_contract(end: str) -> None:
    def rows(file: str) -> dict[str, str]:
        """The last cell of each row, by the first one."""
        lines = (ROOT / f"{file}{end}").read_text(encoding="utf-8").splitlines()
        cells = ([it.strip(" `") for it in line.strip("| ").split(" | ")] for line in lines if "|" in line)
        return {row[0]: row[-1] for row in cells}

    known, readme, lab = contract(), rows("README"), rows("docs/lab")
    for name in ("profile", "vram_tier", "model"):
        assert readme[name] == getattr(known, name)
    assert readme["venom"] == f"{{release: {known.release}}}"
    assert known.profiles[known.profile].requirements in readme["requirements"]
    assert readme["ports"] == ", ".join(map(str, known.ports.values()))
    assert known.door.exposure in readme["door"]
    assert (lab["VENOM_RELEASE"], lab["VENOM_PROFILE"]) == (known.release, known.profile)
    sources = (ROOT / f"docs/sources{end}").read_text(encoding="utf-8")
    assert re.search(rf"{known.release}, (which the|które)\s", sources)


@pytest.mark.parametrize("path", [ROOT / "docs/operating.md", ROOT / "docs/operating.pl.md"], ids=_name)
def test_the_table_of_verbs_has_the_options_of_each(path: Path) -> None:
    rows = (line.split(" | ") for line in path.read_text(encoding="utf-8").splitlines())
    options = {
        row[0].strip("| `"): row[2] for row in rows if row[0].startswith("| `deploy/") and len(row) > 2
    }
    assert set(options) == set(VERBS)
    for verb in VERBS.values():
        listed = [it for it in re.findall(r"`([^`]+)`", options[verb.path]) if "=" in it]
        assert listed == [str(it) for it in verb.options], verb.path
