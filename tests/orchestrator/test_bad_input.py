"""Every file that cannot be meant is refused, naming file, line, key, value and rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.config import strict_yaml
from orchestrator.errors import ConfigError
from tests.orchestrator.lab_files import LabFiles


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    return LabFiles.copied(tmp_path)


# file, what it says, what it says instead, then: key, value and rule in the message
WRONG = {
    "unknown key": (
        "lab.yaml", 'baudrate: 9600', 'baudrat: 9600',
        "instruments.switch_matrix.baudrat", "9600", "unknown key: did you mean baudrate",
    ),
    "unknown key of a station": (
        "lab.yaml", "operations: [spin]", "operation: [spin]",
        "stations.coater.operation", "spin", "unknown key: did you mean operations",
    ),
    "unknown key of a step": (
        "recipe.yaml", "acceleration:", "accelaration:",
        "steps[1]", "acceleration", "missing: spin needs it",
    ),
    "unknown key beside a step's own": (
        "recipe.yaml", 'duration: "45 s"', 'duration: "45 s", sped: "5 rpm"',
        "steps[1].sped", "5 rpm", "unknown key: did you mean speed",
    ),
    "unknown key of the campaign": (
        "campaign.yaml", "in_flight: 2", "inflight: 2",
        "inflight", "2", "unknown key: did you mean in_flight",
    ),
    "missing unit": (
        "lab.yaml", 'syringe: "1 mL"', "syringe: 1",
        "instruments.pump.syringe", "1", "write the unit",
    ),
    "missing unit in quotes": (
        "lab.yaml", 'syringe: "1 mL"', 'syringe: "1"',
        "instruments.pump.syringe", "1", "write the unit",
    ),
    "missing unit of a limit": (
        "lab.yaml", 'from: "300 rpm"', "from: 300",
        "stations.coater.limits.speed.from", "300", "write the unit",
    ),
    "missing unit of a position": (
        "lab.yaml", 'chuck:  {at: ["-100 mm"', "chuck:  {at: [-100",
        "slots.chuck.at[0]", "-100", 'write the unit, e.g. "20 mm"',
    ),
    "missing unit in the recipe": (
        "recipe.yaml", 'duration: "45 s"', "duration: 45",
        "steps[1].duration", "45", 'write the unit, e.g. "30 s"',
    ),
    "missing unit in the space": (
        "campaign.yaml", 'from: "30 s"', "from: 30",
        "space.dwell.from", "30", "write the unit",
    ),
    "wrong dimension of a setting": (
        "lab.yaml", 'max_temperature: "200 degC"', 'max_temperature: "500 ms"',
        "instruments.anneal_plate.max_temperature", "500 ms", "a quantity in degC is wanted",
    ),
    "wrong dimension in the space": (
        "campaign.yaml", 'from: "25 degC"', 'from: "500 ms"',
        "space.treatment_temperature.from", "500 ms", "a quantity in degC is wanted",
    ),
    "wrong dimension in the recipe": (
        "recipe.yaml", 'current: "100 uA"', 'current: "100 mV"',
        "steps[10].current", "100 mV", "a quantity in A is wanted",
    ),
    "wrong dimension of a limit": (
        "lab.yaml", 'to: "6000 rpm"', 'to: "100 Hz"',
        "stations.coater.limits.speed.to", "100 Hz", "a quantity in rpm is wanted",
    ),
    "not a number": (
        "recipe.yaml", 'duration: "45 s"', 'duration: "nan s"',
        "steps[1].duration", "nan s", "write a number and its unit",
    ),
    "infinite": (
        "recipe.yaml", 'duration: "45 s"', 'duration: "1e999 s"',
        "steps[1].duration", "1e999 s", "",
    ),
    "station limit beyond its instrument's": (
        "lab.yaml", 'temperature: {from: "20 degC", to: "180 degC"}',
        'temperature: {from: "20 degC", to: "250 degC"}',
        "stations.anneal.limits.temperature.to", "250 degC",
        "must be at most 200 °C",
    ),
    "station speed beyond its instrument's": (
        "lab.yaml", 'to: "6000 rpm"', 'to: "9000 rpm"',
        "stations.coater.limits.speed.to", "9000 rpm", "instruments.spin_coater.max_speed",
    ),
    "space beyond the station's limit": (
        "campaign.yaml", 'to: "4000 rpm"', 'to: "7000 rpm"',
        "space.spin_speed.to", "7000 rpm", "stations.coater.limits.speed",
    ),
    "recipe beyond the station's limit": (
        "recipe.yaml", 'acceleration: "1000 rpm/s"', 'acceleration: "90 rpm/s"',
        "steps[1].acceleration", "90 rpm/s", "must be 100 rpm/s to 3 000 rpm/s",
    ),
    "acid not on the shelf": (
        "campaign.yaml", "{molecule: acid}", "{molecule: acid, only: [nitric acid, citric acid]}",
        "space.acid.only[1]", "citric acid", "no such acid on the shelf: did you mean nitric acid",
    ),
    "kind not on the shelf": (
        "campaign.yaml", "{molecule: acid}", "{molecule: salt}",
        "space.acid.molecule", "salt", "no liquid of this kind on the shelf: known: diluent, acid",
    ),
    "liquid not on the shelf": (
        "recipe.yaml", "liquid: ink", "liquid: inc",
        "steps[0].liquid", "inc", "not on the shelf: did you mean ink",
    ),
    "molecule that is none": (
        "lab.yaml", 'smiles: "Cl"', 'smiles: "Cl("',
        "inventory.liquids.hydrochloric acid.smiles", "Cl(", "not a SMILES",
    ),
    "two instruments on one port": (
        "lab.yaml", "port: ports/treat_plate", "port: ports/anneal_plate",
        "instruments.treat_plate.port", "ports/anneal_plate", "anneal_plate is on it already",
    ),
    "instrument in two stations": (
        "lab.yaml", "{hotplate: treat_plate}", "{hotplate: anneal_plate}",
        "stations.treat.instruments.hotplate", "anneal_plate", "belongs to station anneal",
    ),
    "slot of two stations": (
        "lab.yaml", "slots: [treat]", "slots: [anneal]",
        "stations.treat.slots[0]", "anneal", "belongs to station anneal already",
    ),
    "unknown instrument": (
        "lab.yaml", "instruments: [spin_coater, vacuum]", "instruments: {spin_coater: spin_coatr}",
        "stations.coater.instruments.spin_coater", "spin_coatr", "did you mean spin_coater",
    ),
    "role that the plan does not have": (
        "lab.yaml", "instruments: {hotplate: treat_plate}", "instruments: [treat_plate]",
        "stations.treat.operations[0]", "heat", "needs a hotplate",
    ),
    "role that no plan uses": (
        "lab.yaml", "instruments: []", "instruments: [profilometer]",
        "stations.rinse.instruments", "profilometer", "no operation of this station uses it",
    ),
    "unknown driver": (
        "lab.yaml", "driver: cavro_pump", "driver: cavro_pmp",
        "instruments.pump.driver", "cavro_pmp", "no such driver: did you mean cavro_pump",
    ),
    "driver that is no driver": (
        "lab.yaml", "driver: cavro_pump", "driver: errors",
        "instruments.pump.driver", "errors", "no such driver: known: ",
    ),
    "two liquids in one place": (
        "lab.yaml", "place: shelf.3,", "place: shelf.2,",
        "inventory.liquids.nitric acid.place", "shelf.2", "sulfuric acid is there already",
    ),
    "liquid nowhere": (
        "lab.yaml", "place: shelf.3,", "place: shelf.17,",
        "inventory.liquids.nitric acid.place", "shelf.17", "no such vial or valve port",
    ),
    "liquid in the waste": (
        "lab.yaml", "place: water,", "place: waste,",
        "inventory.liquids.water.place", "waste", "no such vial or valve port",
    ),
    "unknown operation": (
        "lab.yaml", "operations: [spin]", "operations: [spn]",
        "stations.coater.operations[0]", "spn", "no such operation: did you mean spin",
    ),
    "limit of nothing": (
        "lab.yaml", "      speed: {from", "      sped: {from",
        "stations.coater.limits.sped", "sped", "did you mean speed",
    ),
    "two slots in one place": (
        "lab.yaml", 'treat:  {at: ["-260 mm"', 'treat:  {at: ["-180 mm"',
        "slots.treat.at", "-180 mm, -60 mm, -85 mm", "treat is where anneal is already",
    ),
    "more substrates than slots": (
        "lab.yaml", "count: 72", "count: 73",
        "inventory.substrates.count", "73", "rack has 72 slots",
    ),
    "real lab with a port of the bench": (
        "lab.yaml", "bench: bench.yaml\n", "",
        "instruments.gantry.port", "ports/gantry", "a lab without `bench` is real",
    ),
    "bench that is not there": (
        "lab.yaml", "bench: bench.yaml", "bench: bnch.yaml",
        "bench", "bnch.yaml", "no such file",
    ),
    "step that no station offers": (
        "recipe.yaml", "operation: spin,     at: chuck", "operation: spin,     at: treat",
        "steps[1].operation", "spin", "no station offers it in treat; offered by: coater in chuck",
    ),
    "step that nobody has heard of": (
        "recipe.yaml", "operation: spin,", "operation: evaporate,",
        "steps[1].operation", "evaporate", "no such operation",
    ),
    "liquid that is a list": (
        "recipe.yaml", "liquid: ink", "liquid: [ink, water]",
        "steps[0].liquid", "['ink', 'water']", "must be one value",
    ),
    "rinse from a vial": (
        "recipe.yaml", "liquid: water, volume", "liquid: nitric acid, volume",
        "steps[6].liquid", "nitric acid", "rinse takes liquids from the valve",
    ),
    "step named twice": (
        "recipe.yaml", "step: coat,", "step: ink,",
        "steps[1].step", "ink", "named twice",
    ),
    "transfer in a recipe": (
        "recipe.yaml", "operation: spin,", "operation: transfer,",
        "steps[1].operation", "transfer", "the arm brings the sample",
    ),
    "unknown slot": (
        "recipe.yaml", "at: stylus", "at: stilus",
        "steps[11].at", "stilus", "did you mean stylus",
    ),
    "unknown analysis": (
        "recipe.yaml", "analysis: transmittance", "analysis: transmitance",
        "measurements.transmittance.analysis", "transmitance", "did you mean transmittance",
    ),
    "measurement of a step that is not there": (
        "recipe.yaml", "{film: probe}", "{film: prob}",
        "measurements.sheet_resistance.runs.film", "prob", "no such step: did you mean probe",
    ),
    "measurement of another step": (
        "recipe.yaml", "{film: probe}", "{film: scan}",
        "measurements.sheet_resistance.runs.film", "scan", "operation van_der_pauw",
    ),
    "measurement that has another unit": (
        "recipe.yaml", "thickness: thickness", "thickness: sheet_resistance",
        "measurements.conductivity.of.thickness", "sheet_resistance", "wants nm",
    ),
    "parameter that the space lacks": (
        "recipe.yaml", "$anneal_time", "$aneal_time",
        "steps[2].duration", "$aneal_time", "did you mean anneal_time",
    ),
    "parameter that the recipe does not use": (
        "recipe.yaml", "speed: $spin_speed", 'speed: "2000 rpm"',
        "space.spin_speed", "campaign.yaml", "the recipe does not use it",
    ),
    "empty range": (
        "campaign.yaml", 'from: "100 degC", to: "160 degC"', 'from: "160 degC", to: "100 degC"',
        "space.anneal_temperature", "160 degC to 100 degC", "empty: from must be below to",
    ),
    "empty choice": (
        "campaign.yaml", "{molecule: acid}", "{molecule: acid, only: []}",
        "space.acid.only", "[]", "at least 1",
    ),
    "space above a stock": (
        "campaign.yaml", 'from: "0.5 mol/L"', 'from: "3 mol/L"',
        "space.acid_concentration.from", "3 mol/L", "below the stock of camphorsulfonic acid, 2.5",
    ),
    "less than the arm can meter": (
        "campaign.yaml", 'from: "0.5 mol/L"', 'from: "0.1 mol/L"',
        "space", "0.1 mol/L sulfuric acid", "below the smallest volume of arm, 2 µL",
    ),
    "log of nothing": (
        "campaign.yaml", '"30 s", to: "600 s"', '"0 s", to: "600 s"',
        "space.dwell", "log", "a log scale must begin above 0",
    ),
    "stock of something else": (
        "campaign.yaml", "to: stock of acid", "to: stock of dwell",
        "space.acid_concentration.to", "stock of dwell", "no parameter that chooses a liquid",
    ),
    "stock of another unit": (
        "campaign.yaml", '"2 min", to: "10 min"', '"2 min", to: stock of acid',
        "space.anneal_time.to", "stock of acid", "a quantity in s is wanted",
    ),
    "objective that is not measured": (
        "campaign.yaml", "conductivity:", "conductance:",
        "objectives.conductance", "campaign.yaml", "did you mean conductivity",
    ),
    "objective in another unit": (
        "campaign.yaml", "unit: S/cm", "unit: ohm",
        "objectives.conductivity.unit", "ohm", "measures it in S/cm",
    ),
    "objective in no unit": (
        "campaign.yaml", "unit: S/cm", "unit: siemenses",
        "objectives.conductivity.unit", "siemenses", "is not a unit that is known",
    ),
    "unknown planner": (
        "campaign.yaml", "name: bayes", "name: bays",
        "planner.name", "bays", "did you mean bayes",
    ),
    "more trials than substrates": (
        "campaign.yaml", "trials: 24", "trials: 73",
        "budget.trials", "73", "72 substrates",
    ),
    "more trials than ink": (
        "lab.yaml", 'place: shelf.1, volume: "60 mL"', 'place: shelf.1, volume: "2 mL"',
        "budget.trials", "24", "3.6 mL of ink; the shelf has 2 mL",
    ),
    "no trial": (
        "campaign.yaml", "trials: 24", "trials: 0",
        "budget.trials", "0", "greater than or equal to 1",
    ),
    "more in flight than slots": (
        "campaign.yaml", "in_flight: 2", "in_flight: 8",
        "in_flight", "8", "the recipe has 7 slots",
    ),
    "recipe that is not there": (
        "campaign.yaml", "recipe: recipe.yaml", "recipe: recip.yaml",
        "recipe", "recip.yaml", "no such file",
    ),
    "lab that is not there": (
        "campaign.yaml", "lab: ../sim_bench/lab.yaml", "lab: lab.yaml",
        "lab", "lab.yaml", "no such file",
    ),
    "duplicate key": (
        "lab.yaml", 'syringe: "1 mL"', 'syringe: "1 mL"\n    syringe: "2 mL"',
        "instruments.pump.syringe", "", "written twice, first in line 18",
    ),
    "duplicate key in braces": (
        "campaign.yaml", "seed: 1", "seed: 1, seed: 2",
        "planner.seed", "", "written twice",
    ),
    "missing key": (
        "campaign.yaml", "budget: {trials: 24}\n", "",
        "budget", "", "missing",
    ),
    "yes": (
        "recipe.yaml", "at_once: true", "at_once: yes",
        "steps[1].at_once", "yes", "write true or false",
    ),
    "octal": (
        "campaign.yaml", "trials: 24", "trials: 024",
        "budget.trials", "024", "write a plain number",
    ),
    "exponent": (
        "campaign.yaml", "trials: 24", "trials: 1e1",
        "budget.trials", "1e1", "write a plain number",
    ),
    "date": (
        "lab.yaml", "lab: sim_bench", "lab: 2026-11-21",
        "lab", "2026-11-21", "quote a date",
    ),
    "text for a count": (
        "campaign.yaml", "trials: 24", 'trials: "24"',
        "budget.trials", "24", "should be an integer",
    ),
    "anchor": (
        "recipe.yaml", "measurements:", "measurements: &all",
        "measurements", "&all", "anchors are not read",
    ),
    "line break into a link": (
        "lab.yaml", 'model: "C-MAG HS7"', r'model: "C-MAG\r\nSTART_4"',
        "instruments.anneal_plate.model", r"C-MAG\r\nSTART_4", "printable characters",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_meant_is_refused(case: str, files: LabFiles) -> None:
    name, old, new, key, value, rule = WRONG[case]
    files.edit(name, old, new)
    with pytest.raises(ConfigError) as refused:
        files.load()
    message = str(refused.value)
    blamed = "campaign.yaml" if key.startswith(("space", "budget")) else name
    assert f"{blamed}:" in message
    assert f"{key}" in message
    assert value in message
    assert rule in message


def test_the_line_of_the_key_is_named(files: LabFiles) -> None:
    files.edit("lab.yaml", 'syringe: "1 mL"', "syringe: 1")
    line = files.line("lab.yaml", "syringe: 1")
    with pytest.raises(ConfigError) as refused:
        files.load()
    place = f"lab.yaml:{line}: instruments.pump.syringe: 1 — write the unit, e.g."
    assert place in str(refused.value)


@pytest.mark.parametrize("name", ["lab.yaml", "campaign.yaml", "recipe.yaml"])
@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "nothing in it"),
        (b"\n\n# only a comment\n", "nothing in it"),
        (b"just text", "no keys in it"),
        (b"- a\n- b\n", "no keys in it"),
        (b"a: {b: 1", "cut short"),
        (b"a: [1, 2", "cut short"),
        (b'a: "never closed', "cut short"),
        (b"\ta: 1", "not YAML"),
        (b"a: 1\n---\nb: 2\n", "one document"),
        (b"a: \xff\xfe", "UTF-8"),
        ("a: 1".encode("utf-16"), "UTF-8"),
        (b"a: \x00", "forbids"),
        (b"a: &x [1]\nb: [*x, *x]\n", "anchors are not read"),
        (b"a: *x\n", "aliases are not read"),
        (b"a: !!python/object:os.system {}\n", "tags are not read"),
        (b"? [1, 2]\n: 3\n", "a key is text"),
        (b"1: 2\n", "a key is text"),
        (b"a: " + b"[" * 30, "levels"),
        (b"a: " + b"{b: " * 30, "levels"),
        (b"a: " + b"x" * 2_000_000, "at most"),
        (b"a: " + b"x" * 501, "501 characters, at most 500 are read"),
        (b"x" * 501 + b": 1", "501 characters, at most 500 are read"),
        (b"a: &" + b"x" * 501 + b" 1", r"&x{56}\.\.\. — "),
        (b'a: "\\UFFFFFFFF"', "not YAML"),
        (b'a: "\\ud800"', "printable"),
    ],
)
def test_an_unreadable_file_is_refused_by_name(
    name: str, content: bytes, rule: str, files: LabFiles
) -> None:
    files.path(name).write_bytes(content)
    with pytest.raises(ConfigError, match=rule) as refused:
        files.load()
    assert name in str(refused.value)


def test_a_file_that_is_not_there_or_a_directory_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            strict_yaml.read(path)


SHARP = "{}[]:,&*!|>%@`\"'\\#?-~ \t\n\r\0$.eE+0123456789_\ufeff\ud7ff\U0001f600"


def loads_or_refuses(files: LabFiles, name: str, text: str) -> None:
    before = files.text(name)
    files.path(name).write_text(text, encoding="utf-8", newline="")
    message = ".yaml"
    try:
        files.load()
    except ConfigError as error:
        message = str(error)
    finally:
        files.path(name).write_text(before, encoding="utf-8", newline="")
    assert ".yaml" in message


relaxed = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.slow
@relaxed
@given(
    name=st.sampled_from(["lab.yaml", "campaign.yaml", "recipe.yaml"]),
    where=st.floats(0, 1),
    cut=st.integers(0, 40),
    put=st.text(st.sampled_from(SHARP), max_size=6) | st.text(max_size=6),
)
def test_any_mutation_of_a_file_loads_or_is_refused(
    name: str, where: float, cut: int, put: str, files: LabFiles
) -> None:
    text = files.text(name)
    at = int(where * len(text))
    loads_or_refuses(files, name, text[:at] + put + text[at + cut :])


@pytest.mark.slow
@relaxed
@given(
    name=st.sampled_from(["lab.yaml", "campaign.yaml", "recipe.yaml"]),
    where=st.floats(0, 1),
)
def test_any_file_cut_short_loads_or_is_refused(
    name: str, where: float, files: LabFiles
) -> None:
    text = files.text(name)
    loads_or_refuses(files, name, text[: int(where * len(text))])


@pytest.mark.slow
@relaxed
@given(
    name=st.sampled_from(["lab.yaml", "campaign.yaml", "recipe.yaml"]),
    data=st.data(),
)
def test_any_two_words_exchanged_load_or_are_refused(
    name: str, data: st.DataObject, files: LabFiles
) -> None:
    words = files.text(name).split(" ")
    one = data.draw(st.integers(0, len(words) - 1))
    other = data.draw(st.integers(0, len(words) - 1))
    words[one], words[other] = words[other], words[one]
    loads_or_refuses(files, name, " ".join(words))
