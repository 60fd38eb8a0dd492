"""Names and quantities in a part of a file, read against the parameters of a space."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from orchestrator import units
from orchestrator.config.strict_yaml import Key, Source, Where, near
from orchestrator.errors import ConfigError
from planners.parameters import Choice, Molecule, Parameter, Real


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """Reads what stands at ``where`` in a file; keys are seen from there."""

    source: Source
    where: Where
    known: Mapping[str, Parameter]

    def parameter(self, name: str, *keys: Key) -> Parameter:
        """Return a parameter, or refuse its name."""
        if name not in self.known:
            raise self.refusal(
                name, f"no such parameter: {near(name, self.known)}", *keys
            )
        return self.known[name]

    def real(self, name: str, *keys: Key) -> Real:
        """Return a parameter that is a number."""
        parameter = self.parameter(name, *keys)
        if not isinstance(parameter, Real):
            rule = "a choice among names, where a quantity is wanted"
            raise self.refusal(name, rule, *keys)
        return parameter

    def choice(self, name: str, *keys: Key) -> Molecule | Choice:
        """Return a parameter that is a choice among names."""
        parameter = self.parameter(name, *keys)
        if isinstance(parameter, Real):
            rule = "a quantity, where a choice among names is wanted"
            raise self.refusal(name, rule, *keys)
        return parameter

    def quantity(self, text: str, unit: str, *keys: Key) -> float:
        """Return what a text means in a unit."""
        try:
            return units.parse(text, unit)
        except units.UnitError as error:
            raise self.refusal(text, str(error), *keys) from None

    def refusal(self, value: str, rule: str, *keys: Key) -> ConfigError:
        """Return the error for a value below these keys."""
        where: Where = (*self.where, *keys)
        while where not in self.source.lines:
            where = where[:-1]
        return self.source.refusal(where, value, rule)
