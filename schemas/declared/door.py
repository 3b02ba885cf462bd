"""What the inventory says of the door: who may come in, where, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.data.contract import contract
from schemas.declared.networks import networks
from schemas.declared.references import absolute, secret_of
from schemas.model import Door, OllamaClients, Secret
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem

# Under these the host itself, and who has tunnelled to it, opens the door.
_LOCAL = ("localhost", "127.0.0.1", "::1")


def door_of(settings: Settings, profile: str, ports: Mapping[str, int], problems: list[Problem]) -> Door:
    """The door of one host, resolved. What is wrong with it goes to `problems`."""
    default = contract().door
    exposure = settings.get("door", "exposure", default=default.exposure)
    tls = settings.get("door", "tls", default=default.tls)
    users = {name: secret_of(it, settings) for name, it in settings.get("door", "users", default={}).items()}
    networks = _networks(settings, ("door", "allow_from"), users, problems)
    if exposure == "lan" and not settings.written("door", "allow_from"):
        hint = "name the networks that may come in, e.g. allow_from: [192.168.1.0/24]"
        keys = ("door", "exposure")
        problems.append(settings.problem(keys, "lan without allow_from", "lan with allow_from", hint))
    certificate, key = _own(settings, tls, problems)
    door = Door(
        exposure=exposure,
        allow_from=networks if exposure == "lan" else (),
        port=settings.get("door", "port", default=80 if tls == "none" else 443),
        names=_names(settings),
        tls=tls,
        certificate=certificate,
        key=key,
        users=users,
        runtime_control=settings.get("door", "runtime_control", default=default.runtime_control) == "open",
        firewall=settings.get("door", "firewall", default=default.firewall),
        ollama=_ollama(settings, profile, users, problems),
    )
    _distinct(settings, door, ports, problems)
    return door


def effectless(settings: Settings) -> list[str]:
    """What is declared of the door and has no effect, for the operator."""
    written, default = settings.get("door", default={}), contract().door
    notes = []
    if written.get("exposure", default.exposure) == "loopback" and "allow_from" in written:
        notes.append("door.allow_from concerns only exposure: lan: no effect here")
    if written.get("tls", default.tls) != "own":
        notes += [
            f"door.{name} concerns only tls: own: no effect here"
            for name in ("certificate", "key")
            if name in written
        ]
    return notes


def _names(settings: Settings) -> tuple[str, ...]:
    """Every name under which it is opened, lower case, as a browser sends it."""
    address = settings.get("address", default=settings.host)
    own = [settings.host, *([] if address == "@local" else [address.partition("%")[0]])]
    names = [*own, *settings.get("door", "names", default=[]), *_LOCAL]
    return tuple(dict.fromkeys(it.lower().rstrip(".") for it in names))


def _networks(
    settings: Settings, keys: tuple[str, ...], users: Mapping[str, Secret], problems: list[Problem]
) -> tuple[str, ...]:
    """The networks at `keys`: the Internet only where a password is asked for."""
    if users:
        return networks(settings, keys, problems, internet=True)
    hint = "name the networks that you mean, or give door.users: the door then asks for a password"
    allowed = "networks of your own, while there are no door.users"
    return networks(settings, keys, problems, allowed=allowed, hint=hint)


def _own(settings: Settings, tls: str, problems: list[Problem]) -> tuple[str, Secret | None]:
    """Path of the certificate and reference to its key, where they are the operator's own."""
    if tls != "own":
        return "", None
    certificate, key = settings.get("door", "certificate"), settings.get("door", "key")
    missing = [name for name, value in (("certificate", certificate), ("key", key)) if value is None]
    if missing:
        found = f"own without {' and '.join(missing)}"
        hint = "give both, or write tls: self-made"
        problems.append(settings.problem(("door", "tls"), found, "own with certificate and key", hint))
        return "", None
    return absolute(certificate, settings), secret_of(key, settings)


def _ollama(
    settings: Settings, profile: str, users: Mapping[str, Secret], problems: list[Problem]
) -> OllamaClients | None:
    if settings.get("door", "ollama") is None:
        return None
    networks = _networks(settings, ("door", "ollama", "allow_from"), users, problems)
    if "ollama" not in contract().profiles[profile].services:
        having = [it.name for it in contract().profiles.values() if "ollama" in it.services]
        hint = f"remove it, or choose profile: {' or '.join(having)}"
        keys, found = ("door", "ollama"), f"clients of Ollama in profile {profile}, which has none"
        problems.append(settings.problem(keys, found, "nothing", hint))
    return OllamaClients(
        networks, settings.get("door", "ollama", "port", default=contract().door.ollama_port)
    )


def _distinct(settings: Settings, door: Door, ports: Mapping[str, int], problems: list[Problem]) -> None:
    """A port of its own for the door, and for the clients of Ollama."""
    taken = {f"ports.{name}": port for name, port in ports.items()}
    taken["ssh.port"] = settings.get("ssh", "port", default=22)
    wanted: dict[tuple[str, ...], int] = {("door", "port"): door.port}
    if door.ollama:
        wanted["door", "ollama", "port"] = door.ollama.port
    for keys, port in wanted.items():
        others = [name for name, other in taken.items() if other == port]
        if others:
            found = f"{port}, which {' and '.join(others)} has too"
            problems.append(settings.problem(keys, found, "a port of its own"))
        taken[".".join(keys)] = port
