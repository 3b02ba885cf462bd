"""A command that runs alike whatever the login shell is, and its answer between marks of ours. Pure.

sshd gives a command to the login shell. fish reads quotes in another way than sh, csh cannot hold a line
end in them, and what `.bashrc` prints stands before the answer. So the login shell gets one line without
anything that shells differ in, which starts /bin/sh; that prints a mark, runs the command and prints another
with its status. What comes before the first mark or after the last is nobody's answer.
"""

from __future__ import annotations

import base64
import secrets
import shlex
from dataclasses import dataclass, field

_NAME = f"venom-{secrets.token_hex(16)}"
BEGIN = f"{_NAME} begins\n".encode()
END = f"\n{_NAME} ends ".encode()  # then the status of the command, and the end of the line


def line(command: str) -> str:
    """The command as it is sent: for any login shell."""
    script = "\n".join(
        (
            # A bash that finds these reads .bashrc although it is nobody's login shell, or another file.
            "unset SSH_CLIENT SSH2_CLIENT BASH_ENV ENV",
            f"printf '%s\\n' {shlex.quote(BEGIN.decode().strip())}",
            f"printf '%s\\n' {shlex.quote(BEGIN.decode().strip())} >&2",
            f"( {command}\n)",
            "status=$?",
            f"printf '\\n%s%s\\n' {shlex.quote(END.decode().strip())}' ' $status",
            f"printf '\\n%s%s\\n' {shlex.quote(END.decode().strip())}' ' $status >&2",
            "exit $status",
        )
    )
    packed = base64.b64encode(script.encode()).decode()
    return f"exec /bin/sh -c 'eval \"$(echo {packed} | base64 -d)\"'"


@dataclass
class Reader:
    """Takes what a stream says piece by piece, and gives what stands between the marks."""

    before: bytes = b""  # what came before the first mark
    status: int | None = None  # of the command; None as long as the last mark is missing
    begun: bool = False
    _held: bytes = field(default=b"", repr=False)

    def feed(self, piece: bytes) -> bytes:
        """What of the answer is certain now."""
        if self.status is not None:
            return b""
        self._held += piece
        if not self.begun:
            before, mark, rest = self._held.partition(BEGIN)
            if not mark:
                return b""
            self.before, self._held, self.begun = before, rest, True
        answer, mark, rest = self._held.partition(END)
        if mark:
            number, end, _ = rest.partition(b"\n")
            if end:
                self.status = int(number) if number.isdigit() else 255
                self._held = b""
                return answer
            return b""
        # The mark may have come in part.
        keep = next((n for n in range(len(END) - 1, 0, -1) if self._held.endswith(END[:n])), 0)
        certain = self._held[: len(self._held) - keep]
        self._held = self._held[len(certain) :]
        return certain

    @property
    def uncertain(self) -> bytes:
        """What of the answer may yet be the beginning of the last mark."""
        return self._held if self.begun else b""

    def rest(self) -> bytes:
        """What remains where the stream ended without the last mark."""
        if not self.begun:
            self.before, self._held = self._held, b""
            return b""
        answer, self._held = self._held, b""
        return b"" if self.status is not None else answer


def text(answer: bytes) -> list[str]:
    """The lines of an answer, whatever its bytes are."""
    decoded = answer.decode("utf-8", "replace")
    lines = decoded.split("\n")
    return lines[:-1] if lines[-1] == "" else lines
