"""What a verb can be given, and what is reported of a command that cannot do what was meant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.command_line import CommandLine
from engine.options import Options, faults, read
from engine.refusal import Finding, RefusedError
from fleet.command import against
from fleet.inventory import nobody
from fleet.packing import registry_of
from fleet.verbs import VERBS

ROOT = Path(__file__).parents[2]
INVENTORY = "inventories/lab.py"
# The hosts are this machine, which may be looked at; nothing here gets as far as that.
HERE = (
    'defaults: {profile: llm_off}\ngroups: {desks: {}}\nhosts: {here: {address: "@local", groups: [desks]}}\n'
)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """An inventory of this very machine."""
    path = tmp_path / "office.py"
    path.write_text((ROOT / INVENTORY).read_text(encoding="utf-8"), encoding="utf-8")
    path.with_suffix(".yaml").write_text(HERE, encoding="utf-8")
    return path


def _pyinfra(*arguments: str, folder: Path = ROOT) -> tuple[int, str]:
    """Status and words of a real run, which nobody answers."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pyinfra")), "-y", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def _line(*arguments: str) -> CommandLine:
    """As pyinfra's own parser reads it, which turns a process into one of gevent's: so in another one."""
    script = "import sys; from engine.command_line import parse; print(repr(parse(sys.argv[1:])))"
    command = [sys.executable, "-c", script, *arguments]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    line: CommandLine = eval(printed, {"CommandLine": CommandLine})
    return line


def _against(line: CommandLine) -> list[str]:
    return [str(it) for it in against(line, ROOT)]


def _options(verb: str, *data: str) -> Options:
    assert faults([VERBS[verb]], data) == []
    return read(VERBS[verb], data)


def _fault(verb: str, *data: str) -> Finding:
    (fault,) = faults([VERBS[verb]], data)
    return fault


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_refuses_what_it_does_not_know_with_what_it_knows(verb: str) -> None:
    fault = _fault(verb, "colour=blue")
    assert fault.found == 'the name "colour"'
    assert all(str(it) in fault.requirement for it in VERBS[verb].options)
    assert "blue" not in str(fault), "it may be a secret"


def test_every_script_of_an_operator_is_a_verb_and_reads_its_options() -> None:
    scripts = {f"deploy/{it.name}": it.read_text(encoding="utf-8") for it in (ROOT / "deploy").glob("*.py")}
    assert {path for path, text in scripts.items() if "\npyinfra " in text} == set(VERBS)
    assert all(f'options_of("{path}")' in scripts[path] for path in VERBS)


@pytest.mark.parametrize(
    ("verb", "data", "found", "remedy"),
    [
        ("deploy/rollback.py", "t=v1.6.0", 'the name "t"', 'did you mean "to"?'),
        ("deploy/remove.py", "pruge=yes", 'the name "pruge"', 'did you mean "purge"?'),
        ("deploy/remove.py", "PURGE=yes", 'the name "PURGE"', 'did you mean "purge"?'),
        ("deploy/remove.py", "purge=maybe", "purge=maybe", "say what is meant"),
        ("deploy/remove.py", "purge=true", "purge=true", "say what is meant"),
        ("deploy/remove.py", "purge", "purge", "write NAME=VALUE"),
        ("deploy/rollback.py", "to=", "to=", "a variable of the shell may be empty"),
        ("deploy/images.py", "variants=venom-frontend,venom-frontent", "venom-frontent", '"venom-frontend"'),
        ("deploy/venom.py", "ssh_user=ada", 'the name "ssh_user"', "write ssh.user in the inventory"),
        ("deploy/venom.py", "ssh_user=ada", 'the name "ssh_user"', "--ssh-user for this run"),
        ("deploy/venom.py", "ssh_hostname=box", 'the name "ssh_hostname"', "write address in the inventory"),
        ("deploy/venom.py", "_sudo=yes", 'the name "_sudo"', "write ssh.sudo in the inventory"),
        ("deploy/venom.py", "_ignore_errors=yes", 'the name "_ignore_errors"', "see ssh in"),
        ("deploy/migration.py", "tre=/srv/Venom", 'the name "tre"', 'did you mean "tree"?'),
    ],
)
def test_what_is_wrong_with_an_option_is_reported_with_the_remedy(
    verb: str, data: str, found: str, remedy: str
) -> None:
    fault = _fault(verb, data)
    assert fault.found == found
    assert remedy in fault.remedy


def test_all_that_is_wrong_is_reported_at_once_and_a_name_once() -> None:
    wrong = faults([VERBS["deploy/remove.py"]], ["purge=yes", "purge=yes", "to=v1.6.0", "suites=yes"])
    assert [it.found for it in wrong] == ["purge twice", 'the name "to"', 'the name "suites"']


def test_two_verbs_of_one_run_have_the_options_of_both() -> None:
    both = [VERBS["deploy/venom.py"], VERBS["deploy/verify.py"]]
    assert faults(both, ["purge=yes", "suites=yes"]) == []
    assert (
        "deploy/venom.py and deploy/verify.py: purge=yes, reboot=yes, suites=yes"
        in faults(both, ["x=y"])[0].requirement
    )


def test_an_option_is_what_was_written_whatever_pyinfra_would_make_of_it() -> None:
    texts = ["20261122", "007", "1.10", "1e3", "true", "null", "[1]", "a=b", "g9a8b"]
    line = _line("-y", *(f"--data=to={it}" for it in texts), INVENTORY, "deploy/rollback.py", "--limit", "a")
    assert (line.inventory, line.operations, line.limit) == (INVENTORY, ("deploy/rollback.py",), ("a",))
    assert [_options("deploy/rollback.py", it).text("to") for it in line.data] == texts


def test_what_was_not_set_is_empty() -> None:
    options = _options("deploy/images.py", "confirmed=yes", "variants=venom-frontend, venom-backend-light")
    assert options.flag("confirmed")
    assert options.words("variants") == ["venom-frontend", "venom-backend-light"]
    assert (options.text("tag"), options.words("registry")) == ("", [])


@pytest.mark.parametrize("name", ["tag", "confirmed", "extra"])
def test_how_to_publish_without_where_is_not_passed_over(name: str) -> None:
    options = _options("deploy/images.py", f"{name}=yes")
    with pytest.raises(RefusedError, match=f"found     {name}\n"):
        registry_of(options)
    assert registry_of(_options("deploy/images.py")) is None
    assert registry_of(_options("deploy/images.py", f"{name}=yes", "registry=registry.example.org/venom"))


def test_only_who_names_hosts_without_an_inventory_may_say_how_they_are_reached() -> None:
    assert (
        _options("deploy/migration.py", "ssh_hostname=192.0.2.1", "tree=/srv/Venom").text("tree")
        == "/srv/Venom"
    )


@pytest.mark.parametrize(
    ("inventory", "operation", "found", "remedy"),
    [
        ("inventories/lba.py", "deploy/venom.py", "inventories/lba.py: no such file", "inventories/lab.py"),
        ("lba", "deploy/venom.py", "lba: no such file", 'did you mean "inventories/lab.py"?'),
        ("@local", "deploy/venom.py", "@local: no such file", "name one that is there: "),
        ("box1", "deploy/status.py", "box1: no such file", "name one that is there: "),
        ("inventories", "deploy/status.py", "inventories, a folder", "name one that is there: "),
        ("inventories/lab.yaml", "deploy/venom.py", "inventories/lab.yaml", "name inventories/lab.py"),
        ("inventories/example.yaml", "deploy/venom.py", "inventories/example.yaml", "cp inventories/lab.py"),
        ("inventories/lba.py", "exec", "inventories/lba.py: no such file", "inventories/lab.py"),
        ("deploy/venom.py", INVENTORY, "deploy/venom.py first", "pyinfra inventories/office.py"),
        ("./deploy/venom.py", INVENTORY, "./deploy/venom.py first", "pyinfra inventories/office.py"),
        (INVENTORY, INVENTORY, f"the inventory {INVENTORY} as well", "run once for each"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused_with_why(
    inventory: str, operation: str, found: str, remedy: str
) -> None:
    (message,) = _against(CommandLine(inventory, (operation,)))
    assert f"found     {found}\n" in message
    assert remedy in message


def test_an_option_is_looked_at_before_any_connection_however_the_verb_is_written() -> None:
    (message,) = _against(CommandLine(INVENTORY, (str(ROOT / "deploy/rollback.py"),), data=("t=v1.6.0",)))
    assert 'did you mean "to"?' in message
    (message,) = _against(CommandLine(INVENTORY, ("exec", "id"), data=("x",)))
    assert "write x=…" in message


@pytest.mark.parametrize(
    "line",
    [
        CommandLine(INVENTORY, ("deploy/venom.py",)),
        CommandLine("box1,box2", ("exec", "uptime")),
        CommandLine(INVENTORY, ("exec", "cat", INVENTORY, "deploy/venom.py"), data=("ssh_user=ada",)),
        CommandLine("box1", ("deploy/migration.py",), data=("ssh_hostname=192.0.2.1",)),
        CommandLine("@docker/debian:13", ("fact", "server.LinuxName")),
        CommandLine(INVENTORY, ("debug-inventory",)),
        CommandLine(INVENTORY, ("deploy/venom.py", "deploy/verify.py"), data=("suites=yes",)),
    ],
)
def test_what_can_be_meant_is_left_to_pyinfra(line: CommandLine) -> None:
    assert _against(line) == []


def test_names_of_limit_are_compared_as_pyinfra_does() -> None:
    groups = {"all": ["gpu1", "gpu2", "@local"], "desks": ["gpu2"], "office": ["gpu1"]}
    assert list(nobody("--limit", ["gpu1", "gpu*", "desks", "office", "all", "@local"], groups)) == []
    (finding,) = nobody("--limit", ["gpu1", "gup2"], groups)
    assert (finding.found, finding.remedy) == ("gup2", 'did you mean "gpu2"?')


@pytest.mark.parametrize(
    ("arguments", "required"),
    [
        (["--data", "pruge=yes", "FLEET", "deploy/remove.py"], "an option of deploy/remove.py: purge=yes"),
        (["--data", "purge", "FLEET", "deploy/remove.py"], "--data purge=yes, or no purge at all"),
        (["inventories/offcie.py", "deploy/venom.py"], "an inventory that is there"),
        (
            ["--limit", "desk", "FLEET", "deploy/venom.py"],
            "--limit with a host or group of the inventory: @local",
        ),
        (["--exclude", "desks", "FLEET", "deploy/venom.py"], "at least one host"),
        (["FOREIGN", "deploy/venom.py"], "hosts of an inventory: a YAML file, and the .py beside it"),
        (
            ["--config", "none.py", "--data", "x=y", "FLEET", "deploy/venom.py"],
            "an option of deploy/venom.py: ",
        ),
        (["--config", "none.py", "deploy/venom.py", "FLEET"], "the inventory first, then the verb"),
    ],
)
def test_a_real_run_ends_with_one_message_and_a_status(
    arguments: list[str], required: str, fleet: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.py"
    foreign.write_text('hosts = ["@local"]\n', encoding="utf-8")
    files = {"FLEET": str(fleet), "FOREIGN": str(foreign)}
    status, output = _pyinfra(*(files.get(it, it) for it in arguments))
    assert status == 1
    assert output.count("required  ") == output.count(f"required  {required}") == 1, output
    assert "Traceback" not in output
    assert "exception" not in output


@pytest.mark.parametrize("option", ["--serial", "--no-wait"])
def test_hosts_that_would_not_wait_for_each_other_are_refused_with_a_rollout(
    option: str, fleet: Path
) -> None:
    yaml = fleet.with_suffix(".yaml")
    yaml.write_text(f"rollout: {{}}\n{yaml.read_text(encoding='utf-8')}", encoding="utf-8")
    status, output = _pyinfra(option, str(fleet), "deploy/venom.py")
    assert status == 1
    assert output.count("required  hosts that wait for the wave before them") == 1, output
    assert f"do        leave out {option}" in output
    assert "Traceback" not in output


def test_away_from_the_repositorys_root_the_inventory_says_where_to_run(fleet: Path, tmp_path: Path) -> None:
    status, output = _pyinfra(str(fleet), str(ROOT / "deploy/venom.py"), folder=tmp_path)
    assert (status, "Traceback" in output) == (1, False)
    assert "run pyinfra from the repository's root" in output
