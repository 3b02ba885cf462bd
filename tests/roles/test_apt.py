"""apt's own words become findings: which source fails and where it stands, and what keeps a package off."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine import packages, remote
from engine.packages import Holder
from roles.preflight import apt

NAMES = ("nginx", "git")
SOURCES = """\
source=/etc/apt/sources.list:1:deb http://deb.example.org/debian/ bookworm main
source=/etc/apt/sources.list:2:# deb http://deb.example.org/debian old main
source=/etc/apt/sources.list.d/cd.list:1:deb cdrom:[Debian 12 _Bookworm_ - NETINST]/ bookworm main
source=/etc/apt/sources.list.d/gone.list:1:deb [arch=amd64 trusted=no] http://deb.example.org/debian gone main
source=/etc/apt/sources.list.d/own.sources:1:Types: deb
source=/etc/apt/sources.list.d/own.sources:2:URIs: http://nobody.example.org/debian/
source=/etc/apt/sources.list.d/own.sources:3:Suites: bookworm bookworm-updates
source=/etc/apt/sources.list.d/own.sources:4:Components: main
source=/etc/apt/sources.list.d/own.sources:5:
source=/etc/apt/sources.list.d/own.sources:6:Types: deb
source=/etc/apt/sources.list.d/own.sources:7:Enabled: no
source=/etc/apt/sources.list.d/own.sources:8:URIs: http://off.example.org/debian
source=/etc/apt/sources.list.d/own.sources:9:Suites: bookworm
"""
# As apt 2.6 (Debian 12) and 3.0 (Debian 13) say it.
UPDATE = """\
update=Err:2 cdrom://Debian 12 _Bookworm_ - NETINST bookworm Release
update=  Please use apt-cdrom to make this CD-ROM recognized by APT.
update=Get:1 http://deb.example.org/debian bookworm InRelease [151 kB]
update=Err:9 http://deb.example.org/debian gone Release
update=  404  Not Found [IP: 203.0.113.80 80]
update=Err:4 http://nobody.example.org/debian bookworm InRelease
update=  Could not resolve 'nobody.example.org'
update=Reading package lists...
update=W: http://deb.example.org/debian/dists/bookworm/InRelease: Key is stored in legacy trusted.gpg keyring
update=E: Release file for http://nobody.example.org/debian/dists/bookworm-updates/InRelease is expired.
update=E: The repository 'http://deb.example.org/debian gone Release' does not have a Release file.
"""


def look(text: str, sources: str = SOURCES, update: str = UPDATE) -> apt.Apt:
    return apt.parse(f"apt=there\n{sources}{update}{text}")


def test_each_source_that_fails_is_named_with_file_line_and_reason() -> None:
    failed = {f"{it.file}:{it.line} {it.suite}": reason for it, reason in look("works=yes\n").failed}
    assert failed == {
        "/etc/apt/sources.list.d/cd.list:1 bookworm": (
            "Please use apt-cdrom to make this CD-ROM recognized by APT."
        ),
        "/etc/apt/sources.list.d/gone.list:1 gone": "404 Not Found",
        "/etc/apt/sources.list.d/own.sources:2 bookworm": "Could not resolve 'nobody.example.org'",
        "/etc/apt/sources.list.d/own.sources:2 bookworm-updates": (
            "Release file for http://nobody.example.org/debian/dists/bookworm-updates/InRelease is expired."
        ),
    }


def test_sources_that_fail_are_only_reported_where_the_others_have_everything() -> None:
    found = look("works=yes\nfetch=1000\nunpack=2 MB\nroom=/ 9000000000\n")
    assert apt.findings(found, NAMES) == []
    assert "gone.list:1: deb [arch=amd64 trusted=no]" in apt.remark(found)
    assert apt.remark(apt.parse("apt=there\nworks=yes\n")) == ""


def test_a_package_that_no_source_has_is_refused_with_the_sources_that_fail() -> None:
    (finding,) = apt.findings(look("cannot=E: Unable to locate package git\n"), NAMES)
    assert finding.requirement == "a source of Debian packages that answers, and has git"
    assert "/etc/apt/sources.list.d/gone.list:1: deb" in finding.found
    assert "put a # before the line" in finding.remedy


@pytest.mark.parametrize(
    "error",
    [
        "not in the store: git_2.47.3-0+deb13u1_amd64.deb",
        "Failed to fetch http://192.0.2.1:8800/debian/dists/trixie/InRelease  404  Not Found",
        "The repository 'http://192.0.2.1:8800/debian trixie Release' does not have a Release file.",
        "Unable to locate package git",
    ],
)
def test_what_the_store_of_a_host_without_the_internet_lacks_is_refused_with_its_name(error: str) -> None:
    found = apt.parse(
        f"apt=there\nstore=http://192.0.2.1:8800\ncannot=Reading package lists...\ncannot=E: {error}\n"
    )
    (finding,) = apt.findings(found, NAMES)
    assert finding.requirement == (
        "in the store http://192.0.2.1:8800, as the host has no Internet: nginx, git of Debian"
    )
    assert finding.found == error
    assert finding.remedy == packages.FILL


@pytest.mark.parametrize(
    ("text", "found", "remedy"),
    [
        (
            "cannot=The following held packages will be changed:\ncannot=  nginx\n"
            "cannot=0 upgraded, 12 newly installed, 0 to remove and 0 not upgraded.\n"
            "cannot=E: Held packages were changed and -y was used without --allow-change-held-packages.\n",
            "on hold: nginx",
            "apt-mark unhold nginx",
        ),
        (
            "cannot=E: Package 'nginx' has no installation candidate\npin=/etc/apt/preferences.d/no\n",
            "Package 'nginx' has no installation candidate",
            "change it in /etc/apt/preferences.d/no",
        ),
        (
            "cannot= nginx : Depends: nginx-common (>= 1.22) but it is not installable\n"
            "cannot=E: Unable to correct problems, you have held broken packages.\n",
            "nginx : Depends: nginx-common (>= 1.22) but it is not installable",
            "apt-get install -s nginx git",
        ),
        (
            "cannot=E: Unmet dependencies. Try 'apt --fix-broken install' with no packages\n",
            "Unmet dependencies",
            "apt-get --fix-broken install",
        ),
        (
            "cannot=E: Type 'foo' is not known on line 1 in source list /etc/apt/sources.list.d/x.list\n"
            "cannot=E: The list of sources could not be read.\n",
            "Type 'foo' is not known on line 1 in source list /etc/apt/sources.list.d/x.list",
            "correct the line",
        ),
        ("", "no answer", "apt-get install -s"),
    ],
)
def test_what_keeps_a_package_off_is_reported_with_its_remedy(text: str, found: str, remedy: str) -> None:
    (finding,) = apt.findings(look(text), NAMES)
    assert found in finding.found
    assert remedy in finding.remedy


def test_a_host_without_apt_or_without_sources_is_reported() -> None:
    (finding,) = apt.findings(apt.parse("apt=none\n"), NAMES)
    assert finding.found == "no apt-get"
    (finding,) = apt.findings(look("cannot=E: Unable to locate package git\n", sources="", update=""), NAMES)
    assert finding.found == "no source in /etc/apt"


def test_room_is_needed_for_downloads_and_for_what_they_become() -> None:
    text = "works=yes\nfetch=20000000\nunpack=1,500 kB\nroom={} 21000000\nroom=/ 21000000\n"
    assert apt.findings(look(text.format("/var")), NAMES) == []
    (finding,) = apt.findings(look(text.format("/")), NAMES)
    assert finding.requirement == "22 MB free on / for Debian packages"


def test_who_holds_a_lock_of_apt_is_found_by_the_kernel(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    hold = "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.lockf(f,fcntl.LOCK_EX); print(); input()"
    script = remote.script("apt_locks.pl").replace("qw(/var/lib/dpkg/lock-frontend", f"qw({lock}")

    def holder() -> list[str]:
        return subprocess.run(
            ["perl", "-e", script], capture_output=True, text=True, check=True
        ).stdout.split()

    process = subprocess.Popen(
        ["python3", "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    assert holder()[:3] == [str(lock), str(process.pid), "python3"]
    process.communicate(b"\n")
    assert str(lock) not in holder()


def test_the_end_of_a_wait_says_who_holds_what_for_how_long_and_how_to_end_it() -> None:
    who = Holder("/var/lib/dpkg/lock-frontend", "812", "unattended-upgr", "apt-daily-upgrade.service")
    message = packages.busy(who, 900)
    assert "unattended-upgr (process 812, unit apt-daily-upgrade.service) has held" in message
    assert "/var/lib/dpkg/lock-frontend for 15 min" in message
    assert "systemctl stop apt-daily-upgrade.service" in message
    assert "kill 7" in Holder("/x", "7", "perl", "?").remedy
