"""Values in the spelling of elsewhere: a port of a compose file, a tag of Ollama's, a size of a card."""

from __future__ import annotations

import re
from collections.abc import Callable

from schemas.data.contract import contract
from schemas.data.pinned import pinned, version_meant
from schemas.declared.habits import Accepts, section_of, sentence, word_meant
from schemas.reading.document import Keys, flow

_GIB = re.compile(r"([0-9]+)(\.[0-9]+)? ?(gi?b?)?")
_LOGIN = re.compile(
    r"(ssh://)?((?P<user>\w[\w.-]*)@)?(?P<host>[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:]+\])(:(?P<port>[0-9]{1,5}))?/?"
)
_TIME = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m(?:in)?)?(?:([0-9]+)s(?:ec)?)?")
_PORT = re.compile(r"(?:[0-9.]+:)?0*([0-9]{1,5})(?::[0-9]+|\.0+)?(?:/tcp)?")
_SHELL = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")
_LOOKUP = re.compile(r"\{\{ *lookup\( *'env' *, *'([A-Za-z_]\w*)' *\) *\}\}")
_SIZES = ("270m", "1b", "4b", "12b", "27b")


def value_meant(keys: Keys, value: object, raw: str | None, accepts: Accepts) -> str:
    """The remedy for a value that a setting cannot have, or nothing."""
    setting = section_of(keys)
    if not setting:
        meant = {"hosts": "beginning", "groups": "members"}.get(str(keys[0]), "") if keys else ""
        return sentence(meant)
    text = (raw if raw is not None else str(value)).strip()
    if meant := word_meant(setting, text):
        known = sentence(meant) == meant and " " not in meant and accepts(setting, meant)
        became = f"YAML reads {text} as a boolean: " if isinstance(value, bool) else ""
        return f"{became}write {meant}" if known else sentence(meant)
    around = setting.rpartition(".")[0]
    reads = _READERS.get(setting) or _READERS.get(f"{around}.")
    return reads(setting, value, text, accepts) if reads else ""


def model_meant(written: str) -> str:
    """The tag of Gemma 3 that another spelling means; empty where it means another model."""
    word = written.lower()
    if word in _SIZES:
        return f"gemma3:{word}"
    # Ollama's gemma3 without a tag, and gemma3:latest, are its 4b.
    if word in ("gemma3", "gemma3:latest", "gemma-3", "gemma 3", "gemma"):
        return "gemma3:4b"
    size = re.search(rf"(?<![0-9a-z])({'|'.join(_SIZES)})(?![0-9a-z])", word)
    return f"gemma3:{size[1]}" if size and re.search(r"gemma[-_ ]?3(?![0-9a-z])", word) else ""


def _address(setting: str, value: object, text: str, accepts: Accepts) -> str:
    """A login, as ssh takes it."""
    match = _LOGIN.fullmatch(text)
    if match is None:
        return ""
    address = match["host"].strip("[]").rstrip(".")
    ssh: dict[str, object] = {"user": match["user"]} if match["user"] else {}
    ssh |= {"port": int(match["port"])} if match["port"] else {}
    settings = {"address": address, **({"ssh": ssh} if ssh else {})}
    sound = accepts("address", address) and all(accepts(f"ssh.{name}", it) for name, it in ssh.items())
    return f"write {flow(settings)[1:-1]}" if sound else ""


def _login(setting: str, value: object, text: str, accepts: Accepts) -> str:
    return _address(setting, value, text, accepts) if "@" in text else ""


def _url(setting: str, value: object, text: str, accepts: Accepts) -> str:
    whole = f"https://{text}"
    return f"write {whole}" if "://" not in text and "@" not in text and accepts(setting, whole) else ""


def _development(setting: str, value: object, text: str, accepts: Accepts) -> str:
    return f"name its user, too: {{tree: {text}, user: ada}}" if text.startswith("/") else ""


def _model(setting: str, value: object, text: str, accepts: Accepts) -> str:
    if text.lower() in ("off", "none", "false", "no", "null"):
        return "write profile: llm_off"
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    one = one.get("name") if isinstance(one, dict) else one
    meant = model_meant(one) if isinstance(one, str) else ""
    return f"write {meant}" if meant else ""


def _tier(setting: str, value: object, text: str, accepts: Accepts) -> str:
    """The tier of a card of so many GB, or that begins so."""
    tiers = contract().vram_tiers
    if match := _GIB.fullmatch(text.lower()):
        fitting = [it.name for it in tiers.values() if it.min_vram_bytes <= float(match[1]) * 1024**3]
        return f"write {fitting[-1]}" if fitting else "write auto"
    begin = [name for name in tiers if len(text) > 2 and name.startswith(text.lower())]
    return f"write {begin[0]}" if len(begin) == 1 else ""


def _ports(setting: str, value: object, text: str, accepts: Accepts) -> str:
    return f"name each, as {flow(dict(contract().ports))}"


def _port(setting: str, value: object, text: str, accepts: Accepts) -> str:
    """A number in hexadecimal, with zeros before or behind it, or a mapping of a compose file."""
    if re.fullmatch(r"0x[0-9a-f]+", text.lower()):
        number = int(text, 16)
    elif match := _PORT.fullmatch(text):
        number = int(match[1])
    else:
        return ""
    quoted = isinstance(value, str) and text == str(number)
    return f"write {number}{' without quotes' if quoted else ''}" if accepts(setting, number) else ""


def _seconds(setting: str, value: object, text: str, accepts: Accepts) -> str:
    match = _TIME.fullmatch(text.lower())
    if match is None or not any(match.groups()):
        return ""
    hours, minutes, seconds = (int(it or 0) for it in match.groups())
    whole = hours * 3600 + minutes * 60 + seconds
    return f"write {whole}" if accepts(setting, whole) else ""


def _environment(setting: str, value: object, text: str, accepts: Accepts) -> str:
    """A list as compose files have it: NAME=value, or NAME: value."""
    found: dict[str, object] = {}
    for it in value if isinstance(value, list) else [value]:
        name, equals, content = it.partition("=") if isinstance(it, str) else ("", "", "")
        found |= {name: content} if equals else it if isinstance(it, dict) else {"": None}
    # A secret may be among them, which is never shown.
    known = found and set(found) <= set(contract().settable())
    return f"write {flow(found)}" if known else "write a mapping: {NAME: value}; secrets go under secrets"


def _secret(setting: str, value: object, text: str, accepts: Accepts) -> str:
    """A reference of elsewhere; what is none is never shown."""
    if isinstance(value, dict) and len(value) == 1:
        ((kind, target),) = value.items()
        return f"write {kind}:{target}" if accepts(setting, f"{kind}:{target}") else ""
    match = _SHELL.fullmatch(text) or _LOOKUP.fullmatch(text)
    if match:
        return f"write env:{match[1]}"
    return "put it into a file of mode 0600 and name that, file:PATH; or export it: env:NAME"


def _version(setting: str, value: object, text: str, accepts: Accepts) -> str:
    """A version without its quotes, of which YAML makes a number; the beginning of one; the latest."""
    meant = version_meant(setting, text)
    quoted = meant if meant.startswith("v") else f'"{meant}"'
    number = "a number" if str(value) == text else f"the number {value}"
    became = "" if isinstance(value, str) else f"YAML reads {text} as {number}: "
    if meant:
        return f"{became}write {quoted}"
    return f"{became}take one that is pinned, in quotes: {', '.join(pinned(setting))}"


def _section(setting: str, value: object, text: str, accepts: Accepts) -> str:
    """A version where a mapping is wanted."""
    name = "release" if setting == "venom" else "version"
    meant = version_meant(f"{setting}.{name}", text)
    return f'write {{{name}: "{meant}"}}' if meant else ""


def _commit(setting: str, value: object, text: str, accepts: Accepts) -> str:
    if accepts(setting, text.lower()):
        return f"write {text.lower()}"
    known = re.fullmatch(r"[0-9a-f]{4,39}", text.lower())
    return f"git rev-parse {text} tells all of its digits" if known else sentence("branch")


_Reader = Callable[[str, object, str, Accepts], str]
_READERS: dict[str, _Reader] = {
    "address": _address,
    **dict.fromkeys(("ssh", "ssh.user"), _login),
    **dict.fromkeys(("mirrors.pypi", "mirrors.npm"), _url),
    "model": _model,
    "vram_tier": _tier,
    "ports": _ports,
    "ports.": _port,
    "door.port": _port,
    "ssh.port": _port,
    "ready_timeout": _seconds,
    "environment": _environment,
    "development": _development,
    **dict.fromkeys(("secrets.", "door.users.", "door.key"), _secret),
    **{f"{it}.version": _version for it in ("python", "node", "ollama")},
    **dict.fromkeys(("venom.release", "venom.like"), _version),
    **dict.fromkeys(("venom", "python", "node", "ollama"), _section),
    "venom.commit": _commit,
}
