"""YAML read strictly: what is written is what is meant, or it is refused by line.

Built on PyYAML's events, so that nothing is resolved, merged or expanded on the way.
Refused: duplicate keys, anchors, aliases, tags, several documents, keys that are not
text, empty values, text over several lines, and everything that one YAML reader takes
for a number, a date or a yes and another does not (``yes``, ``012``, ``1e3``, ``1:30``,
``2026-01-01``, ``~``). Left as plain scalars are text, ``true``, ``false``, and
numbers as everyone writes them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from orchestrator.errors import ConfigError

LARGEST = 1_000_000
"""Bytes; a configuration that is larger is not one."""
DEEPEST = 20
LONGEST = 500
"""Characters of one key or value; a SMILES has a tenth of that."""

Key = str | int
Where = tuple[Key, ...]
Form = TypeVar("Form", bound=BaseModel)

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]{1,3})?", re.ASCII)
_SURPRISES = (
    (re.compile(r"yes|no|on|off|y|n|true|false", re.IGNORECASE), "write true or false"),
    (re.compile(r"~|null", re.IGNORECASE), "write a value, or leave the key out"),
    (re.compile(r"\d{4}-\d\d?-\d\d?([Tt ].*)?"), "quote a date"),
    (re.compile(r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?"), 'write a time as "90 s"'),
    (re.compile(r"[-+]?\.?(\.inf|\.nan|inf|nan)", re.IGNORECASE), "write a finite number"),
    (
        re.compile(r"[-+]?(0[xob]?[0-9a-f_]+|[\d_]*\.?[\d_]+\.?)(e[-+]?\d+)?", re.IGNORECASE),
        "write a plain number such as 1000 or 0.5, or quote it as text",
    ),
    (re.compile(r"<<|="), "write the values out"),
)  # fmt: skip


def near(word: str, known: Iterable[str]) -> str:
    """Return how to go on after an unknown word: the nearest, and all that are known.

    Examples
    --------
    >>> near("sped", ["speed", "duration"])
    'did you mean speed? Known: speed, duration'
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    listed = ", ".join(names[:40]) or "none"
    return f"did you mean {close[0]}? Known: {listed}" if close else f"known: {listed}"


def dotted(where: Where) -> str:
    """Return a key path as people write it.

    Examples
    --------
    >>> dotted(("steps", 2, "volume"))
    'steps[2].volume'
    """
    text = ""
    for key in where:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.removeprefix(".")


def shown(path: Path) -> str:
    """Return a path as the user would write it from where they are."""
    absolute = path.resolve()
    here = Path.cwd()
    return str(
        absolute.relative_to(here) if absolute.is_relative_to(here) else absolute
    )


@dataclass(frozen=True, slots=True)
class Source:
    """A file as read: plain values, and the line that each of them stands on."""

    path: Path
    text: str
    data: Mapping[str, Any]
    lines: Mapping[Where, int] = field(default_factory=dict)

    def line(self, where: Where) -> int:
        """Return the line of a key, or of the nearest thing around it."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    def place(self, *where: Key) -> str:
        """Return file, line and key path, for a message."""
        text = f"{shown(self.path)}:{self.line(where)}"
        return f"{text}: {dotted(where)}" if where else text

    def refusal(self, where: Where, value: object, rule: str) -> ConfigError:
        """Return the error that names file, line, key path, value and rule."""
        text = value if isinstance(value, str) else _plain(value)
        return ConfigError(f"{self.place(*where)}: {text} — {rule}")

    def beside(self, where: Where, name: str) -> Path:
        """Return the path of a file that this one names, as seen from here."""
        path = self.path.parent / name
        if not path.is_file():
            raise self.refusal(where, name, "no such file, seen from this one")
        return path

    def fill(self, form: type[Form]) -> Form:
        """Return the form filled from this file."""
        try:
            return form.model_validate(self.data)
        except ValidationError as error:
            found = error.errors(include_url=False)
            raise ConfigError("\n".join(self._refusals(found))) from None

    def _refusals(self, found: Iterable[Any]) -> Iterator[str]:
        for one in found:
            where, value = self._written(one["loc"]), one["input"]
            context = one.get("ctx", {})
            match one["type"]:
                case "missing":
                    key = str(one["loc"][-1])
                    yield f"{self.place(*where)}: {key} — missing: write this key"
                    continue
                case "unknown_key":
                    where = (*where, context["key"])
                    value, rule = self._at(where), context["rule"]
                    yield str(self.refusal(where, value, f"unknown key: {rule}"))
                    continue
                case "value_error":
                    rule = str(context["error"])
                case _:
                    rule = one["msg"].removeprefix("Input ")
                    rule = rule.replace("a valid integer", "an integer").replace(
                        "valid ", ""
                    )
            yield str(self.refusal(where, value, rule))

    def _written(self, location: Where) -> Where:
        """Return the part of pydantic's location that is in the file."""
        where: Where = ()
        for key in location:
            if (*where, key) in self.lines:
                where = (*where, key)
        return where

    def _at(self, where: Where) -> object:
        value: Any = self.data
        for key in where:
            value = value[key]
        return value


def _plain(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read(path: Path) -> Source:
    """Return what a YAML file says.

    Raises
    ------
    ConfigError
        If it cannot be read, is not YAML, or is YAML of the kinds that surprise.
    """
    name = shown(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise ConfigError(f"{name}: {len(raw)} bytes — at most {LARGEST} are read")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        found = f"byte 0x{raw[error.start]:02x}"
        raise ConfigError(
            f"{name}:{line}: {found} — write the file in UTF-8"
        ) from error
    return parse(text, path)


def parse(text: str, path: Path) -> Source:
    """Return what a YAML text says; ``path`` is where it came from, for messages."""
    reader = _Reader(path)
    try:
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(
            f"{shown(path)}:{line}: not YAML, or cut short — {error.problem}"
        ) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError(
            f"{shown(path)}:{line}: a character that YAML forbids — remove it"
        ) from error
    except (ValueError, OverflowError) as error:  # PyYAML on "\UFFFFFFFF"
        raise ConfigError(f"{shown(path)}: not YAML — {error}") from error
    if not isinstance(reader.root, dict):
        found = "nothing" if reader.root is None else "no keys"
        raise ConfigError(f"{shown(path)}:1: {found} in it — write keys and values")
    return Source(path, text, reader.root, reader.lines)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Reader:
    """Builds plain values from YAML events, without recursion."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root: Any = None
        self.lines: dict[Where, int] = {}
        self._open: list[tuple[Where, Any]] = []
        self._key: list[str | None] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Take one event; refuse it, or add what it says."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._refusal(event, "---", "a file holds one document")
        elif isinstance(event, yaml.AliasEvent):
            raise self._refusal(
                event, f"*{event.anchor}", "write the value out; aliases are not read"
            )
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._key.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)

    def _node(self, event: Any) -> None:
        if event.anchor:
            raise self._refusal(
                event, f"&{event.anchor}", "write the value out; anchors are not read"
            )
        if event.tag not in (None, "!"):
            raise self._refusal(event, event.tag, "tags are not read")
        parent = self._open[-1][1] if self._open else None
        if isinstance(parent, dict) and self._key[-1] is None:
            self._take_key(event, parent)
            return
        where = self._where()
        self.lines.setdefault(where, _line(event))
        if isinstance(event, yaml.ScalarEvent):
            self._add(parent, self._scalar(event))
            return
        if len(self._open) >= DEEPEST:
            raise self._refusal(event, "nesting", f"at most {DEEPEST} levels are read")
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._add(parent, value)
        self._open.append((where, value))
        self._key.append(None)

    def _take_key(self, event: Any, parent: dict[str, Any]) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refusal(event, "a list or mapping", "a key is text")
        key = self._scalar(event)
        if not isinstance(key, str) or not key:
            raise self._refusal(event, repr(event.value), "a key is text: quote it")
        line = _line(event)
        where = (*self._open[-1][0], key)
        if key in parent:
            raise ConfigError(
                f"{shown(self.path)}:{line}: {dotted(where)} — written twice, first in "
                f"line {self.lines[where]}: remove one"
            )
        self.lines[where] = line
        self._key[-1] = key

    def _where(self) -> Where:
        if not self._open:
            return ()
        where, parent = self._open[-1]
        key = self._key[-1] if isinstance(parent, dict) else len(parent)
        assert key is not None  # noqa: S101 - a value comes after its key
        return (*where, key)

    def _add(self, parent: Any, value: Any) -> None:
        if isinstance(parent, dict):
            parent[self._key[-1]] = value
            self._key[-1] = None
        elif isinstance(parent, list):
            parent.append(value)
        else:
            self.root = value

    def _scalar(self, event: yaml.ScalarEvent) -> str | int | float | bool | None:
        text = str(event.value)
        if len(text) > LONGEST:
            rule = f"{len(text)} characters, at most {LONGEST} are read"
            raise self._refusal(event, text, rule)
        if event.style is None:
            if not text and not self._open:
                return None
            return self._meaning(event, text)
        if not text.isprintable():
            raise self._refusal(
                event, repr(text), "text is one line of printable characters"
            )
        return text

    def _meaning(self, event: yaml.ScalarEvent, text: str) -> str | int | float | bool:
        if text in ("true", "false"):
            return text == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return float(text)
        if not text:
            raise self._refusal(event, "nothing", "write a value, or leave the key out")
        if not text.isprintable():
            raise self._refusal(
                event, repr(text), "text is one line of printable characters"
            )
        for pattern, rule in _SURPRISES:
            if pattern.fullmatch(text):
                raise self._refusal(event, text, rule)
        return text

    def _refusal(self, event: yaml.Event, value: str, rule: str) -> ConfigError:
        line = _line(event)
        key = self._key[-1] if self._key else None
        where = self._open[-1][0] if self._open else ()
        where = (*where, key) if key is not None else where
        name = f"{shown(self.path)}:{line}"
        name = f"{name}: {dotted(where)}" if where else name
        return ConfigError(f"{name}: {_plain(value)} — {rule}")
