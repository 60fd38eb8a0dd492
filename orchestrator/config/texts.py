"""The texts that files are made of: quantities with their units, names, places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from orchestrator import units


@dataclass(frozen=True, slots=True)
class Quantity:
    """Text with a unit, read into a float in ``unit``; without one, left as text."""

    unit: str = ""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        kind = f"in {self.unit} or alike" if self.unit else "with its unit"
        return {"type": "string", "description": f"A quantity {kind}"}

    def _read(self, value: object) -> float | str:
        if self.unit:
            return units.parse(value, self.unit)
        if not isinstance(value, str):
            raise units.UnitError('write the unit, e.g. "30 s"')
        return value


@dataclass(frozen=True, slots=True)
class OrNone(Quantity):
    """A quantity, or the word none (infinity) for what a liquid does not do."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        what = f"A quantity in {self.unit} or alike, or none"
        return {"type": "string", "description": what}

    def _read(self, value: object) -> float | str:
        return math.inf if value == "none" else Quantity._read(self, value)  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Difference(Quantity):
    """A difference of temperatures: 10 degC would be read as 283 K."""

    def _read(self, value: object) -> float | str:
        kelvin = units.parse(value, self.unit)
        if not 0.0 <= kelvin <= 100.0:
            raise units.UnitError('must be 0 to 100 K, written so: "10 K"')
        return kelvin


Length = Annotated[float, Quantity("mm")]
Volume = Annotated[float, Quantity("uL")]
Concentration = Annotated[float, Quantity("mol/L")]
MassConcentration = Annotated[float, Quantity("g/L")]
Density = Annotated[float, Quantity("g/mL")]
PointOrNone = Annotated[float, OrNone("degC")]
QuantityText = Annotated[str, Quantity()]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Point = Annotated[list[Length], Field(min_length=3, max_length=3)]
Seconds = Annotated[float, Quantity("s")]
Count = Annotated[int, Field(ge=1, le=10_000)]
