from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from instruments.clock import Clock
from instruments.plans.places import Place, Portion
from orchestrator.config.read_campaign import corners, load_campaign
from orchestrator.errors import ConfigError, Refused
from orchestrator.lab import (
    ANALYSES,
    OPERATIONS,
    PLANNERS,
    build_analysis,
    build_device,
    build_planner,
    driver,
    drivers,
    find,
    plan_of,
    port_of,
    recipe_keys,
    required_keys,
    signature,
    signature_of,
)
from orchestrator.recipes import compile_recipe
from orchestrator.resolve import build_plan, resolve
from tests.orchestrator.lab_files import CONFIGS, LabFiles

if TYPE_CHECKING:
    from ophyd import Device

CAMPAIGN = load_campaign(CONFIGS / "pedot_pss" / "campaign.yaml")
LAB = CAMPAIGN.lab


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_has_a_plan_whose_parameters_are_understood(
    operation: str,
) -> None:
    wanted = signature(operation)
    assert wanted.roles
    assert inspect.isgeneratorfunction(inspect.unwrap(plan_of(operation)))
    assert required_keys(operation) <= set(recipe_keys(operation))


@pytest.mark.parametrize("analysis", ANALYSES)
def test_every_analysis_is_there(analysis: str) -> None:
    assert callable(build_analysis(analysis))


def test_operations_want_what_the_recipes_give() -> None:
    assert recipe_keys("spin") == {
        "speed": "rpm",
        "acceleration": "rpm/s",
        "duration": "s",
    }
    assert recipe_keys("heat") == {"temperature": "degC", "duration": "s"}
    assert recipe_keys("van_der_pauw") == {"current": "A"}
    assert recipe_keys("light") == {}
    assert required_keys("dispense") == {"liquid"}  # and an amount, one way or another
    assert signature("dispense").roles == ("gantry", "pump")
    assert signature("transfer").parameters["target"].kind == "place"


def test_a_device_s_class_need_not_be_importable() -> None:
    def plan(hotplate: Device, *, wait: Annotated[float, "s"] = 1.0, n: int) -> Any:
        yield hotplate, wait, n

    made = signature_of(plan)
    assert made.roles == ("hotplate",)
    assert (made.parameters["wait"].unit, made.parameters["wait"].required) == (
        "s",
        False,
    )
    assert (made.parameters["n"].kind, made.parameters["n"].required) == ("plain", True)


def test_every_step_of_a_compiled_recipe_resolves_to_its_plan_s_arguments() -> None:
    for candidate in corners(CAMPAIGN.space):
        for step in compile_recipe(CAMPAIGN, candidate).steps:
            made = resolve(LAB, step.station, step.operation, step.parameters)
            plan = inspect.signature(plan_of(step.operation))
            plan.bind(*signature(step.operation).roles, **made)


def test_names_become_places_and_portions() -> None:
    made = resolve(LAB, "arm", "transfer", {"source": "rack.1", "target": "chuck"})
    assert made == {
        "source": Place("rack.1", -60.0, -220.0, -90.0),
        "target": Place("chuck", -100.0, -60.0, -80.0),
    }
    poured = [
        {"liquid": "water", "source": "water", "volume": 5.0},
        {"liquid": "nitric acid", "source": "shelf.3", "volume": 5.0},
    ]
    made = resolve(LAB, "arm", "dispense", {"target": "treat", "portions": poured})
    vial = Place("shelf.3", *LAB.vials["shelf.3"])
    assert made["portions"] == (
        Portion("water", "water", 5.0),
        Portion("nitric acid", vial, 5.0),
    )


def test_a_plan_is_built_with_its_devices_by_role() -> None:
    devices = {"spin_coater": "the coater"}
    given = {"speed": 1000.0, "acceleration": 500.0, "duration": 5.0}
    plan = build_plan(LAB, "coater", "spin", given, devices)
    assert inspect.isgenerator(plan())


@pytest.mark.parametrize(
    ("station", "operation", "parameters", "rule"),
    [
        ("coater", "heat", {}, "coater: heat — known: spin"),
        ("treat", "reach", {"temperature": 190.0}, "must be 20 °C to 180 °C"),
        ("treat", "reach", {"temperature": math.nan}, "must be finite"),
        ("treat", "reach", {"temperature": "120"}, "must be a number"),
        ("treat", "reach", {"temprature": 120.0}, "did you mean temperature"),
        ("treat", "reach", {}, "temperature — missing"),
        ("arm", "transfer", {"source": "rack.1", "target": "moon"}, "no such place"),
    ],
)
def test_a_station_refuses_what_it_cannot_do(
    station: str, operation: str, parameters: Any, rule: str
) -> None:
    with pytest.raises(Refused, match=rule):
        resolve(LAB, station, operation, parameters)


@pytest.mark.parametrize("name", PLANNERS)
def test_every_planner_is_there(name: str) -> None:
    path = PLANNERS[name].partition(":")[0].replace(".", "/")
    assert (CONFIGS.parent / f"{path}.py").is_file()


def test_a_planner_is_built_with_the_campaign_s_seed_or_another() -> None:
    made = find(PLANNERS["random"])
    assert made is not None
    planner: Any = build_planner(CAMPAIGN, seed=7)
    assert planner.seed == 7


@pytest.mark.parametrize("name", LAB.instruments)
def test_every_device_is_built_without_opening_its_port(
    name: str, tmp_path: Path
) -> None:
    device = build_device(LAB, name, Clock(200.0), tmp_path)
    assert device.name == name
    assert not list(tmp_path.iterdir())


def test_relative_ports_are_the_bench_s(tmp_path: Path) -> None:
    assert port_of(LAB, "pump", tmp_path) == str(tmp_path / "ports" / "pump")


def test_a_driver_is_known_by_name_only() -> None:
    assert "cavro_pump" in drivers()
    assert "link" not in drivers()
    with pytest.raises(ConfigError, match="no such driver: did you mean cavro_pump"):
        driver("cavro_pomp")


def test_an_oven_and_a_circulator_do_what_a_hotplate_does(tmp_path: Path) -> None:
    files = LabFiles.copied(tmp_path)
    plate = '    driver: ika_hotplate\n    port: ports/{}\n    model: "C-MAG HS7"\n'
    oven = '    driver: eurotherm_3216\n    port: ports/{}\n    rate: "2 kelvin/min"\n'
    bath = '    driver: julabo\n    port: ports/{}\n    model: "JULABO CF31"\n'
    files.edit("lab.yaml", plate.format("anneal_plate"), oven.format("anneal_plate"))
    files.edit("lab.yaml", plate.format("treat_plate"), bath.format("treat_plate"))
    lab = files.load().lab
    for name, model in (("anneal_plate", "Temperature"), ("treat_plate", "Circulator")):
        device = build_device(lab, name, Clock())
        assert type(device).__name__.startswith(model)
        assert device.settings.max_temperature == 200.0
        assert build_plan(
            lab,
            name.removesuffix("_plate"),
            "hold",
            {"temperature": 100.0, "duration": 10.0},
            {"hotplate": device},
        )
