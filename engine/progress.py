"""How far a job is, in words: what its host counted, how fast that grows, how long it will take. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from engine.answers import number

# The rate is that of the last seconds: steady enough to read, and a change of the line's speed shows.
WINDOW_SECONDS = 10.0
# Before that, a rate is a guess; and nothing received for so long is worth a word.
SETTLED_SECONDS = 2.0
QUIET_SECONDS = 5.0


@dataclass(frozen=True)
class Status:
    """What a host says of a job (watch_job.sh)."""

    state: str  # systemd's ActiveState of its unit; empty where systemd could not be asked
    made: bool = False  # whether its result is there
    step: str = ""
    step_seconds: int = 0  # since that step began, by the host's clock
    seconds: int = 0  # since the job began
    unit: str = ""  # what is counted: "bytes", "packages", or nothing
    have: int = 0
    want: int = 0  # 0: not known
    phase: str = ""  # what the tool itself says of the step
    fetched: int = 0  # bytes of the files that it has downloaded

    @classmethod
    def of(cls, text: str) -> Status:
        """The status in what the host answered: a `name=value` a line. Raises ValueError for no number."""
        fields = dict(line.partition("=")[::2] for line in text.splitlines())
        return cls(
            state=fields.get("state", ""),
            made=fields.get("made") == "yes",
            step=fields.get("step", ""),
            step_seconds=number(fields.get("step_seconds", "")),
            seconds=number(fields.get("seconds", "")),
            unit=fields.get("unit", ""),
            have=number(fields.get("have", "")),
            want=number(fields.get("want", "")),
            phase=fields.get("phase", ""),
            fetched=number(fields.get("fetched", "")),
        )

    @property
    def runs(self) -> bool:
        """Whether the job is still at it."""
        return self.state in {"active", "activating", "deactivating"}


@dataclass(frozen=True)
class Pace:
    """What was counted lately: (seconds of any steady clock, count), the newest last."""

    counted: tuple[tuple[float, int], ...] = ()

    def then(self, now: float, have: int) -> Pace:
        """With one more look; a count that fell is another file's, and begins anew."""
        if self.counted and have < self.counted[-1][1]:
            return Pace(((now, have),))
        # One that is older than the window stays: else a slow look would leave nothing to compare.
        older = [it for it in self.counted if it[0] <= now - WINDOW_SECONDS][-1:]
        newer = [it for it in self.counted if it[0] > now - WINDOW_SECONDS]
        return Pace((*older, *newer, (now, have)))

    @property
    def rate(self) -> float:
        """Units a second; 0 where that is not known yet, or nothing comes."""
        if not self.counted:
            return 0.0
        (begun, first), (now, last) = self.counted[0], self.counted[-1]
        return (last - first) / (now - begun) if now - begun >= SETTLED_SECONDS else 0.0

    @property
    def quiet(self) -> float:
        """Seconds since the count last grew."""
        if not self.counted:
            return 0.0
        now, last = self.counted[-1]
        return now - next(at for at, have in self.counted if have == last)


def line(title: str, status: Status, pace: Pace) -> str:
    """One line for the operator, e.g. "Ollama 0.24.0: download, 412 of 1240 MB, 33 %, 18 MB/s, 46 s left"."""
    step = status.step.removeprefix(f"{title}: ")
    if status.unit == "bytes":
        return ", ".join([f"{title}: {step}", *_transfer(status, pace)])
    counted = [f"{min(status.have, status.want)} of {status.want} {status.unit}"] if status.want else []
    phase = [status.phase] if status.phase else []
    return ", ".join([f"{title}: {step}", *counted, *phase, duration(status.step_seconds)])


def _transfer(status: Status, pace: Pace) -> list[str]:
    have, want = status.have, status.want
    if not want:
        return [size(have)] if have else []
    amount, unit = size(want).rsplit(" ", 1)
    parts = [f"{size(have, unit)} of {amount} {unit}", f"{min(100, 100 * have // want)} %"]
    if pace.quiet >= QUIET_SECONDS:
        return [*parts, f"nothing for {duration(pace.quiet)}"]
    if pace.rate and have < want:
        parts += [f"{size(pace.rate)}/s", f"{duration((want - have) / pace.rate)} left"]
    return parts


_SIZES = {"GB": 1e9, "MB": 1e6, "kB": 1e3}


def size(count: float, unit: str = "") -> str:
    """Bytes in MB, as downloads are counted; in GB from ten of them, in kB below one MB.

    In `unit`, where it is given, and then without its name.
    """
    chosen = unit or ("GB" if count >= 1e10 else "MB" if count >= 1e6 else "kB")
    value = count / _SIZES[chosen]
    digits = 1 if chosen == "GB" or (not unit and chosen == "MB" and value < 10) else 0
    return f"{value:.{digits}f}" + ("" if unit else f" {chosen}")


def duration(seconds: float) -> str:
    """A span of time, in the largest unit that holds two of it."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def moment(iso: str) -> str:
    """A UTC time to the minute, of ISO 8601; "unknown" where it is empty."""
    return f"{iso[:10]} {iso[11:16]} UTC" if iso else "unknown"


def moment_of(seconds: int) -> str:
    """The same of seconds since 1970."""
    return moment(datetime.fromtimestamp(seconds, UTC).isoformat()) if seconds else moment("")
