"""Tables of real measurements for `polyloop bench planners`, read where they lie.

None is part of polyloop: each folder says where its data comes from (`SOURCE.md`).
Without any there is `invented`, a table worked out from a formula. A folder of your own
with `space.yaml` and `data.csv`, as `polyloop propose` reads them, is one more set.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from orchestrator.config.read_space import read_problem, read_told
from orchestrator.errors import ConfigError, Refused
from planners.data import Candidate, Objective
from planners.desirability import quantities
from planners.space import Choice, Molecule, Parameter, Real, Space
from planners.table import Goal, Table

BARREL = (Goal("half of top 5 %", 0.05, 0.5), Goal("80 % of top 5 %", 0.05, 0.8))
"""The goals of Liang et al., npj Comput. Mater. 7, 188 (2021)."""


def table(
    name: str,
    rows: pd.DataFrame,
    parameters: list[Parameter],
    objective: Objective,
    **more: object,
) -> Table:
    """Return a table whose columns are the parameters and the objective."""
    records = rows[[p.name for p in parameters]].to_dict("records")
    pool = tuple(
        Candidate({str(k): v if isinstance(v, str) else float(v) for k, v in r.items()})
        for r in records
    )
    values = tuple(rows[objective.name].astype(float).tolist())
    return Table(name, Space(tuple(parameters), pool), objective, values, **more)  # type: ignore[arg-type]


def reals(rows: pd.DataFrame, units: dict[str, str]) -> list[Parameter]:
    """Return a real for each column, from its least to its greatest value."""
    return [
        Real(name, float(rows[name].min()), float(rows[name].max()), unit)
        for name, unit in units.items()
    ]


def p3ht(folder: Path) -> Table:
    """Return conductivities of P3HT with carbon nanotubes, the mean of each blend."""
    rows = pd.read_csv(folder / "P3HT_dataset.csv")
    *blend, measured = rows.columns
    means = rows.groupby(blend)[measured].apply(lambda s: s.unique().mean())
    rows = means.rename("conductivity").reset_index()
    rows.columns = [str(c).removesuffix(" content (%)") for c in rows.columns]
    parameters = reals(rows, dict.fromkeys(rows.columns[:-1], "percent"))
    return table("p3ht", rows, parameters, Objective("conductivity", "S/cm"))


def barrel(folder: Path) -> Table:
    """Return toughnesses of printed crossed barrels, the mean of three each."""
    rows = pd.read_csv(folder / "Crossed_barrel_dataset.csv")
    rows = rows.groupby(["n", "theta", "r", "t"], as_index=False).mean()
    parameters = reals(rows, {"n": "1", "theta": "degree", "r": "mm", "t": "mm"})
    objective = Objective("toughness", "J")
    wanted = math.ceil(BARREL[0].share * len(rows))
    more = {"goals": BARREL, "wanted": wanted}
    return table("barrel", rows, parameters, objective, **more)


def arylation(folder: Path) -> Table:
    """Return yields of a direct arylation: three molecules, concentration, heat."""
    rows = pd.read_csv(folder / "data.csv", encoding="utf-8-sig")
    molecules: list[Parameter] = [
        Molecule(name, dict(zip(rows[name], rows[f"{name}_SMILES"], strict=True)))
        for name in ("Base", "Ligand", "Solvent")
    ]
    parameters = molecules + reals(rows, {"Concentration": "mol/L", "Temp_C": "degC"})
    objective = Objective("yield", "percent")
    return table("arylation", rows, parameters, objective, batch=4, initial=4)


def suzuki(case: int) -> Callable[[Path], Table]:
    """Return the reader of yields of one Suzuki coupling: catalyst and three numbers."""

    def read(folder: Path) -> Table:
        rows = pd.read_csv(folder / f"reizman_suzuki_case_{case}.csv", skiprows=[1])
        names = {"t_res": "s", "temperature": "degC", "catalyst_loading": "percent"}
        rows = rows.groupby(["catalyst", *names], as_index=False)["yld"].mean()
        rows = rows.rename(columns={"yld": "yield"})
        catalysts = Choice("catalyst", tuple(sorted(rows["catalyst"].unique())))
        parameters = [catalysts, *reals(rows, names)]
        return table(f"suzuki{case}", rows, parameters, Objective("yield", "percent"))

    return read


def electrolytes(folder: Path) -> Table:
    """Return conductivities of 600 polymer electrolytes: polymer, salt, three numbers."""
    rows = pd.read_csv(folder / "clean_train_data.csv").dropna()
    rows = rows[(rows["molality"] > 0) & (rows["molality"] < 20)]
    keys = ["smiles", "salt smiles", "mw", "molality", "temperature"]
    rows = rows.groupby(keys, as_index=False)["conductivity"].mean()
    rows = rows.sample(600, random_state=0, ignore_index=True)
    rows = rows.rename(columns={"smiles": "polymer", "salt smiles": "salt"})
    rows["conductivity"] = 10.0 ** rows["conductivity"]
    parameters: list[Parameter] = [
        *(Molecule(n, {s: s for s in rows[n].unique()}) for n in ("polymer", "salt")),
        Real("mw", float(rows["mw"].min()), float(rows["mw"].max()), "g/mol", "log"),
        *reals(rows, {"molality": "mol/kg", "temperature": "degC"}),
    ]
    objective = Objective("conductivity", "S/cm", scale="log")
    return table("electrolytes", rows, parameters, objective, batch=4, initial=4)


def invented(folder: Path) -> Table:  # noqa: ARG001
    """Return 400 rows of a formula: four acids, two numbers, one narrow peak."""
    rng = np.random.default_rng(0)
    acids = {"formic": "OC=O", "acetic": "CC(=O)O", "propionic": "CCC(=O)O",
             "butyric": "CCCC(=O)O"}  # fmt: skip
    records = []
    for _ in range(400):
        acid, heat, dwell = str(rng.choice(list(acids))), *rng.random(2)
        length = acids[acid].count("C")
        square = (heat - 0.2 * length) ** 2 / 0.05 + (dwell - 0.6) ** 2 / 0.1
        records.append(
            {
                "acid": acid,
                "heat": round(25.0 + 75.0 * heat, 2),
                "dwell": round(600.0 * dwell, 1),
                "conductivity": 100.0 * math.exp(-square) / (1 + abs(length - 3)) + 1.0,
            }
        )
    parameters: list[Parameter] = [
        Molecule("acid", acids),
        Real("heat", 25.0, 100.0, "degC"),
        Real("dwell", 0.0, 600.0, "s"),
    ]
    objective = Objective("conductivity", "S/cm")
    return table("invented", pd.DataFrame(records), parameters, objective)


def own(folder: Path) -> Table:
    """Return the table of a folder with `space.yaml` and `data.csv`.

    Rows that say the same are one, with the mean of their values; rows that failed or
    have no value are left out. `initial` is that of `space.yaml`, or two.
    """
    problem = read_problem(folder / SPACE)
    told = read_told(folder / "data.csv", problem)
    several = quantities(problem.objectives) != problem.objectives[:1]
    if several or problem.limits:
        rule = "a search counts the best of one objective, without limits"
        raise ConfigError(f"{folder / SPACE}: objectives — {rule}")
    (objective,) = problem.objectives
    name = objective.name
    values: dict[str, list[float]] = {}
    alike: dict[str, Candidate] = {}
    for one in told.observed:
        candidate = alike.setdefault(one.candidate.id, one.candidate)
        values.setdefault(candidate.id, []).append(one.estimates[name].value)
    least = max(2, problem.initial)
    if len(values) <= least:
        rule = f"a table needs more than {least} different rows with a value"
        raise ConfigError(f"{folder / 'data.csv'}: {len(values)} — {rule}")
    return Table(
        folder.name,
        Space(problem.space.parameters, tuple(alike.values())),
        objective,
        tuple(float(np.mean(values[key])) for key in alike),
        initial=least,
    )


SPACE = "space.yaml"

SETS: dict[str, tuple[str, Callable[[Path], Table]]] = {
    "p3ht": ("pvlab_p3ht", p3ht),
    "arylation": ("baybe_direct_arylation", arylation),
    "barrel": ("pvlab_crossed_barrel", barrel),
    **{f"suzuki{n}": ("summit_reizman_suzuki", suzuki(n)) for n in (1, 2, 3, 4)},
    "electrolytes": ("learningmatter_spe_conductivity", electrolytes),
    "invented": ("", invented),
}
"""In which folder a set lies, and what reads it; sets after ``barrel`` were kept aside
when we chose."""

QUICK = ("invented", "p3ht", "suzuki1")


def data_folder(asked: Path | None) -> Path | None:
    """Return where the data lies: as asked, or beside the checkout; None if nowhere."""
    if asked is not None:
        if not asked.is_dir():
            raise Refused(f"--data {asked}: no such folder")
        return asked
    beside = Path.cwd().parent / "shared" / "data"
    return beside if beside.is_dir() else None


def names(folder: Path | None) -> list[str]:
    """Return the sets that there are in a folder, your own last."""
    if folder is None:
        return ["invented"]
    mine = sorted(path.parent.name for path in folder.glob(f"*/{SPACE}"))
    for name in mine:
        if name in SETS:
            rule = "a set of polyloop's has this name"
            raise Refused(f"--data {folder / name}: {name!r} — {rule}")
    there = [name for name, (where, _) in SETS.items() if (folder / where).is_dir()]
    return [*there, *mine]


def read_set(name: str, folder: Path | None) -> Table:
    """Return one of the sets, or refuse it by name and file."""
    where, reader = SETS.get(name, (name, own))
    place = (folder or Path()) / where
    try:
        return reader(place)
    except (OSError, KeyError, ValueError) as error:
        raise Refused(f"--sets {name}: {place}: {error}") from error
