"""Why a user is not root, in words that say what to do."""

from __future__ import annotations

import pytest

from engine.connection.root import wrong


@pytest.mark.parametrize(
    ("stderr", "found", "remedy"),
    [
        (
            "sudo: a password is required\n",
            "sudo asks ada for a password",
            "NOPASSWD: ALL' >/etc/sudoers.d/venom",
        ),
        ("sudo-rs: interactive authentication is required\n", "sudo asks ada for a password", "NOPASSWD"),
        ("sudo: sorry, you must have a tty to run sudo\n", "sudo wants a terminal", "!requiretty"),
        ("ada is not in the sudoers file.\n", "sudo does not allow ada to do this", "NOPASSWD"),
        (
            "Sorry, user ada is not allowed to execute '/bin/sh' as root on box.",
            "sudo does not allow ada",
            "NOPASSWD",
        ),
        ("sudo: not found\n", "sudo: not found", "install sudo"),
        (
            "sudo: not found\ndoas is there, which is not used\n",
            "doas is there, which is not used",
            "install sudo",
        ),
        (
            "sudo: unable to resolve host box\nsudo: account validation failure\n",
            "account validation",
            "sudo -n sh",
        ),
        ("", "sudo ran it as user id unknown", "sudo -n sh"),
    ],
)
def test_what_sudo_says_is_reported_with_what_to_do(stderr: str, found: str, remedy: str) -> None:
    it = wrong("ada", True, "", stderr)
    assert it.requirement == "root on the host, by sudo without a password for ada"
    assert found in it.found
    assert remedy in it.remedy


@pytest.mark.parametrize(("uid", "found"), [("1000", "user id 1000 (ada)"), ("", "no user id: nothing")])
def test_without_sudo_it_is_reported_who_it_is(uid: str, found: str) -> None:
    it = wrong("ada", False, uid, "")
    assert (it.requirement, it.found) == ("root on the host", found)
    assert "ssh.user: root" in it.remedy
