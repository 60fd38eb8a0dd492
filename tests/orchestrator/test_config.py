from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from orchestrator.config import strict_yaml
from orchestrator.config.forms import FORMS, schema
from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign
from orchestrator.config.read_lab import load_lab
from orchestrator.config.settings import read_settings
from orchestrator.errors import ConfigError
from orchestrator.lab import drivers
from planners.space import Molecule, Real
from tests.orchestrator.lab_files import CONFIGS, LabFiles


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return load_campaign(CONFIGS / "pedot_pss" / "campaign.yaml")


def test_grids_are_counted_along_x_first(campaign: Campaign) -> None:
    slots = campaign.lab.slots
    assert slots["rack.1"] == (-60.0, -220.0, -90.0)
    assert slots["rack.2"] == (-90.0, -220.0, -90.0)
    assert slots["rack.13"] == (-60.0, -250.0, -90.0)
    assert slots["rack.72"] == (-390.0, -370.0, -90.0)
    assert len(campaign.lab.substrates) == 72
    assert campaign.lab.vials["shelf.16"] == (-435.0, -20.0, -70.0)


def test_a_station_is_found_by_what_it_does_and_where(campaign: Campaign) -> None:
    lab = campaign.lab
    for operation, slot, name in [
        ("dispense", "treat", "arm"),
        ("hold", "treat", "treat"),
        ("heat", "anneal", "anneal"),
        ("spin", "chuck", "coater"),
    ]:
        station = lab.station_for(operation, slot)
        assert station is not None
        assert station.name == name
    assert lab.station_for("spin", "treat") is None
    assert lab.arm == "arm"


def test_a_limit_is_the_station_s_and_its_instruments(campaign: Campaign) -> None:
    own, instrument = campaign.lab.stations["treat"].limits["temperature"]
    assert (own.low, own.high, own.unit) == (20.0, 180.0, "degC")
    assert instrument.high == 200.0
    assert "instruments.treat_plate.max_temperature" in instrument.place


def test_limits_that_are_written_hold_without_the_drivers(campaign: Campaign) -> None:
    without = load_lab(campaign.lab.path, check_drivers=False)
    assert without.instruments["pump"].settings is None
    for name, station in without.stations.items():
        for key, limits in station.limits.items():
            assert set(limits) <= set(campaign.lab.stations[name].limits[key])
    assert len(without.stations["treat"].limits["temperature"]) == 2


def test_settings_are_the_driver_s_own(campaign: Campaign) -> None:
    settings = campaign.lab.instruments["anneal_plate"].settings
    assert settings.max_temperature == 200.0
    assert campaign.lab.instruments["pump"].settings.syringe in (1.0, 1000.0)


def test_the_shelf_holds_acids_with_canonical_smiles(campaign: Campaign) -> None:
    acids = [one for one in campaign.lab.liquids.values() if one.kind == "acid"]
    assert len(acids) >= 10
    assert all(one.concentration and one.smiles for one in acids)
    assert campaign.lab.liquids["acetic acid"].smiles == "CC(=O)O"
    assert campaign.lab.liquids["ink"].volume == 60_000.0


def test_the_space_has_the_recipe_s_units_and_the_stocks(campaign: Campaign) -> None:
    space = {one.name: one for one in campaign.space.parameters}
    assert list(space) == [
        "acid", "acid_concentration", "dwell", "treatment_temperature",
        "spin_speed", "anneal_temperature", "anneal_time",
    ]  # fmt: skip
    acid, concentration = space["acid"], space["acid_concentration"]
    assert isinstance(acid, Molecule)
    assert isinstance(concentration, Real)
    assert concentration.caps is not None
    assert concentration.caps.highs["formic acid"] == concentration.high == 26.0
    assert (concentration.unit, concentration.scale) == ("mol/L", "log")
    time = space["anneal_time"]
    assert isinstance(time, Real)
    assert (time.low, time.high, time.unit) == (120.0, 600.0, "s")


def test_a_few_acids_can_be_named(tmp_path: Path) -> None:
    files = LabFiles.copied(tmp_path)
    files.edit("campaign.yaml", "acid}", "acid, only: [nitric acid, formic acid]}")
    (acid,) = files.load().space.choices
    assert list(acid.options) == ["nitric acid", "formic acid"]


def test_a_campaign_says_which_files_it_is_made_of(campaign: Campaign) -> None:
    names = [path.name for path in campaign.files]
    assert names == ["campaign.yaml", "recipe.yaml", "lab.yaml", "bench.yaml"]
    assert (campaign.budget.trials, campaign.in_flight) == (24, 2)
    assert (campaign.planner.name, campaign.planner.initial) == ("bayes", 8)


def test_the_bench_s_own_file_is_never_read(tmp_path: Path) -> None:
    files = LabFiles.copied(tmp_path)
    (tmp_path / "sim_bench" / "bench.yaml").write_bytes(b"\xff not even text {")
    assert files.load().lab.bench == tmp_path / "pedot_pss/../sim_bench/bench.yaml"


def imported_by_loading() -> set[str]:
    """Return the modules that a fresh process has after loading without drivers."""
    code = (
        "import sys; from pathlib import Path\n"
        "from orchestrator.config.read_campaign import load_campaign\n"
        "load_campaign(Path(sys.argv[1]), check_drivers=False)\n"
        "print(*sys.modules)"
    )
    path = str(CONFIGS / "pedot_pss" / "campaign.yaml")
    command = [sys.executable, "-c", code, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_loading_imports_neither_torch_nor_prefect() -> None:
    assert not {"torch", "prefect"} & imported_by_loading()


def test_loading_without_drivers_imports_none() -> None:
    assert not {f"instruments.{name}" for name in drivers()} & imported_by_loading()


@pytest.mark.parametrize("kind", FORMS)
def test_the_published_schema_is_current(kind: str) -> None:
    published = (CONFIGS / f"{kind}.schema.json").read_text(encoding="utf-8")
    assert published == schema(kind), (
        "run: python -m orchestrator.config.forms lab_configs"
    )


def test_every_key_is_in_the_readme() -> None:
    text = (CONFIGS / "README.md").read_text(encoding="utf-8")
    written = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", text))))
    for form in FORMS.values():
        models = form.model_json_schema(by_alias=True)
        definitions = [models, *models.get("$defs", {}).values()]
        for definition in definitions:
            for key in definition.get("properties", {}):
                assert key in written, key


@dataclass(frozen=True)
class Settings:
    speed: Annotated[float, "rpm"]
    travel: Annotated[tuple[float, float, float], "mm"]
    valve: Mapping[str, int]
    model: Literal["A", "B"] = "A"
    card: int = 1
    wait: Annotated[float | None, "s"] = None

    def __post_init__(self) -> None:
        if self.card > 5:
            raise ValueError("card: there are 5")


GOOD = """
instruments:
  box:
    driver: box
    port: ports/box
    speed: "6 rpm"
    travel: ["1 cm", "2 mm", "3 mm"]
    valve: {needle: 1}
    card: 2
"""


def settings_of(text: str) -> Settings:
    source = strict_yaml.parse(text, Path("lab.yaml"))
    settings: Settings = read_settings(source, "box", Settings)
    return settings


def test_settings_are_read_by_the_units_of_their_dataclass() -> None:
    assert settings_of(GOOD) == Settings(6.0, (10.0, 2.0, 3.0), {"needle": 1}, card=2)
    assert settings_of(GOOD + '    wait: "1 min"\n').wait == 60.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"6 rpm"', "6", 'lab.yaml:6: instruments.box.speed: 6 — write the unit, e.g. "2000 rpm"'),
        ('"6 rpm"', '"6 mm"', "a quantity in rpm is wanted"),
        (', "3 mm"]', "]", "must have 3 values"),
        ('"1 cm"', "1", "lab.yaml:7: instruments.box.travel[0]: 1 — write the unit"),
        ("{needle: 1}", "3", "instruments.box.valve: 3 — write keys and values"),
        ("{needle: 1}", "{needle: one}", "box.valve.needle: one — must be a whole number"),
        ("card: 2", "card: true", "must be a whole number"),
        ("card: 2", "card: 6", "instruments.box: settings — card: there are 5"),
        ("card: 2", "model: C", "instruments.box.model: C — must be one of A, B"),
        ("card: 2", "crad: 2", "unknown key: did you mean card?"),
        ('    speed: "6 rpm"\n', "", 'instruments.box: speed — missing: write it with its unit'),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(
    old: str, new: str, message: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as refused:
        settings_of(GOOD.replace(old, new))
    assert message in str(refused.value)
