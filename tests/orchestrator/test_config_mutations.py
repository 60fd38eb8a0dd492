"""Any text in the three files loads and makes a recipe, or is refused by name and rule.

Hundreds of mutations of the files we ship: what people do to them by accident (a line
lost or doubled, an indent, a unit, a tab, half a file) and what YAML lets an enemy do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import ConfigError
from orchestrator.recipes import compile_recipe
from planners.baseline import RandomPlanner
from tests.orchestrator.lab_files import NAMES, LabFiles

Draw = Callable[..., Any]

SCALAR = re.compile(r'"[^"\n]*"|(?<=[:\[,{ ])[^\s\[\]{},:"#]+')
QUANTITY = re.compile(r'"(-?[\d.]+) ([^"\n]+)"')

NUMBERS = [
    "0", "-1", "1", "0.5", "-0.0", "1e3", "007", "0x10", "1_000", "1:30", "9" * 400, "-" + "9" * 40,
    "1e999", ".nan", "NaN", ".inf", "-.inf", "inf", "1.0e308", "1.0e-320", "3.0", "١٢", "１２", "12345678901234567890",
]  # fmt: skip
WORDS = [
    "", '""', "''", "null", "~", "true", "false", "yes", "no", "on", "[]", "{}", "[1, 2]", "{a: 1}", "[[]]",
    "[null]", "x", "µ", "\u202e", "\ud7ff", "\U0001f600", "e\u0301", '"\\0"', '"\\x1b[2J"', '"\\r\\nSTART"', '"a;b!"',
    '"\\ud800"', '"\\u2028"', "\x07", "\x00", "\x85", "\u00a0", "a" * 5000, "2026-01-01", "*a", "&a b", "!!python/name:os.system x",
    "!!binary aGk=", "!local x", "| \n  x", ">-\n  x", "? x", "- x", "@x", "`x`", "%x", "#", "$", "$$", "$anneal_time",
    "$no_such", "stock of acid", "rack.1", "rack", "shelf.2", "ink", "acid", "arm", "../lab.yaml", ".", "/", "C:\\x",
]  # fmt: skip
UNITS = ["mm", "uL", "µL", "mL", "s", "min", "degC", "K", "rpm", "Hz", "mol/L", "mol", "A", "V", "%", "",
         "mm mm", "mm**9", "s/s", "1/s", "delta_degC", "dB", "parsec", "kg*m/s", "__import__", "Pa", "rad", "°C"]  # fmt: skip
QUANTITIES = [f'"{number} {unit}"' for number in ("5", "-5", "0", "1e300", "1e-300", "nan", "inf", "1e999")
              for unit in ("mm", "s", "uL", "degC", "rpm", "mol/L")]  # fmt: skip
LAUGHS = "\n".join(
    ['a: &a ["ha", "ha", "ha", "ha", "ha", "ha", "ha", "ha", "ha"]']
    + [f"{n}: &{n} [{', '.join([f'*{m}'] * 9)}]" for m, n in zip("abcdefgh", "bcdefghi", strict=True)]
)  # fmt: skip
PIECES = [
    "\t", "\ufeff", "---\n", "...\n", "%YAML 1.1\n---\n", "%TAG ! tag:x,2026:\n", "<<: *a\n", LAUGHS + "\n", "&a ", "*a ",
    "!!map ", "!!python/object/apply:os.system [ls]\n", "{", "}", "[", "]", '"', "'", ": ", "- ", "# ", "? ", "\r", "\r\n",
    "\n\n", "\x00", "\x1b", "\u2028", "{" * 60, "[" * 3000, "a: " * 30, "- " * 300, "key: value\n", "  key: value\n",
]  # fmt: skip


def at(draw: Draw, count: int) -> int:
    """Return an index below ``count``."""
    index: int = draw(st.integers(0, max(count - 1, 0)))
    return index


def pick(draw: Draw, options: list[str]) -> str:
    return str(draw(st.sampled_from(options)))


def in_lines(draw: Draw, text: str) -> str:
    """Delete, double, move or indent a line, or write its key again."""
    lines = text.splitlines(keepends=True)
    here, there = at(draw, len(lines)), at(draw, len(lines))
    if not lines:
        return text
    what = at(draw, 6)
    if what == 0:
        del lines[here : here + 1 + at(draw, 4)]
    elif what == 1:
        lines.insert(there, lines[here])
    elif what == 2:
        lines[here], lines[there] = lines[there], lines[here]
    elif what == 3:
        lines[here] = pick(draw, [" ", "  ", "      ", "\t", " \t"]) + lines[here]
    elif what == 4:
        lines[here] = lines[here].lstrip() if at(draw, 2) else lines[here][1:]
    else:
        key, colon, _ = lines[here].partition(":")
        lines.insert(here + 1, f"{key}{colon} {pick(draw, WORDS)}\n")
    return "".join(lines)


def in_scalars(draw: Draw, text: str) -> str:
    """Put something else in the place of a value or a key, or exchange two."""
    found = list(SCALAR.finditer(text))
    if not found:
        return text
    one, other = found[at(draw, len(found))], found[at(draw, len(found))]
    new = pick(draw, NUMBERS + WORDS + QUANTITIES + [other.group()])
    if new == other.group() and one.start() != other.start():  # exchanged
        first, last = sorted((one, other), key=lambda match: match.start())
        middle = text[first.end() : last.start()]
        return f"{text[: first.start()]}{last[0]}{middle}{first[0]}{text[last.end() :]}"
    return text[: one.start()] + new + text[one.end() :]


def in_units(draw: Draw, text: str) -> str:
    """Give a quantity another unit, or another number."""
    found = list(QUANTITY.finditer(text))
    if not found:
        return text
    one = found[at(draw, len(found))]
    number, unit = one.groups()
    if at(draw, 2):
        number = pick(draw, NUMBERS)
    else:
        unit = pick(draw, UNITS)
    return f'{text[: one.start()]}"{number} {unit}"{text[one.end() :]}'


def in_pieces(draw: Draw, text: str) -> str:
    """Put something in anywhere, or cut the text off."""
    here = at(draw, len(text) + 1)
    if at(draw, 6) == 0:
        return text[:here]
    if at(draw, 3) == 0:  # at the beginning of a line
        here = text.rfind("\n", 0, here) + 1
    return text[:here] + pick(draw, PIECES + WORDS) + text[here:]


CHANGES = [in_lines, in_scalars, in_scalars, in_units, in_units, in_pieces]


@st.composite
def mutations(draw: Draw, texts: dict[str, str]) -> tuple[str, str]:
    """Return the name of a file, and what it says instead."""
    name = pick(draw, sorted(texts))
    text = texts[name]
    for _ in range(1 + at(draw, 3)):
        change = CHANGES[at(draw, len(CHANGES))]
        text = change(draw, text)
    return name, text


ORIGINAL = {
    name: (Path(__file__).parents[2] / "lab_configs" / path).read_text("utf-8")
    for name, path in NAMES.items()
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> LabFiles:
    return LabFiles.copied(tmp_path_factory.mktemp("mutations"))


def load(files: LabFiles, name: str, content: bytes, *, drivers: bool) -> Campaign:
    """Load the campaign with one file that says something else."""
    before = files.path(name).read_bytes()
    files.path(name).write_bytes(content)
    try:
        return load_campaign(files.path("campaign.yaml"), check_drivers=drivers)
    finally:
        files.path(name).write_bytes(before)


def check_makes_a_recipe(campaign: Campaign) -> None:
    planner = RandomPlanner(campaign.space, campaign.objectives, seed=1)
    for candidate in planner.propose(3, observed=()).candidates:
        recipe = compile_recipe(campaign, candidate)
        numbers = [value for step in recipe.steps for value in step.parameters.values()
                   if isinstance(value, float)]  # fmt: skip
        assert recipe.steps
        assert all(map(math.isfinite, numbers))


def check_refusal(message: str) -> None:
    """A message names a file and a rule on each line, and is safe to print."""
    for line in message.splitlines():
        place = re.match(r"(.*?)\.yaml(:\d+)?: (.+)", line)
        assert place, message
        assert Path(f"{place[1]}.yaml").name in (*NAMES, "bench.yaml"), message
        assert len(line) < 2000, f"{len(line)} characters"
    assert "Traceback" not in message
    assert "".join(message.splitlines()).isprintable(), repr(message)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(
    max_examples=400,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # a whole file takes minutes to shrink
    suppress_health_check=[HealthCheck.too_slow],
)
@given(mutation=mutations(ORIGINAL), drivers=st.integers(0, 19))
def test_any_text_loads_or_is_refused_with_place_value_and_rule(
    mutation: tuple[str, str], drivers: int, files: LabFiles
) -> None:
    name, text = mutation
    content = text.encode("utf-8", errors="surrogatepass")
    try:
        campaign = load(files, name, content, drivers=drivers == 0)
    except ConfigError as refused:
        check_refusal(str(refused))
    else:
        check_makes_a_recipe(campaign)


def test_the_mutations_are_of_files_that_load(files: LabFiles) -> None:
    for name in NAMES:
        content = ORIGINAL[name].encode()
        check_makes_a_recipe(load(files, name, content, drivers=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_billion_laughs_are_refused_before_they_are_told(
    name: str, files: LabFiles
) -> None:
    with pytest.raises(ConfigError, match="anchors are not read") as refused:
        load(files, name, f"{LAUGHS}\n{ORIGINAL[name]}".encode(), drivers=False)
    check_refusal(str(refused.value))
