"""From the rules of a file to those of a search space, with their units."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from orchestrator import units
from orchestrator.config.named import Named
from orchestrator.config.space_forms import (
    BeyondForm,
    NeverForm,
    OnlyIfForm,
    RuleForm,
    SumForm,
)
from orchestrator.config.strict_yaml import Key, Source, near
from orchestrator.errors import ConfigError
from planners.data import Value
from planners.parameters import Parameter, Real, SpaceError
from planners.rules import (
    Forbidden,
    Linear,
    OnlyIf,
    Rule,
    Span,
    objection,
    out_of_reach,
)
from planners.space import Space


def read_rules(
    source: Source, forms: Sequence[RuleForm], parameters: Iterable[Parameter]
) -> tuple[Rule, ...]:
    """Return the rules of a space, their numbers in the units of its reals.

    Raises
    ------
    ConfigError
        If a rule names what is not there, has a unit of another kind, or can never be
        kept.
    """
    known = {parameter.name: parameter for parameter in parameters}
    rules: list[Rule] = []
    for n, form in enumerate(forms):
        reader = _Reader(source, ("rules", n), known)
        if isinstance(form, SumForm):
            rule: Rule = reader.sum_of(form)
        elif isinstance(form, NeverForm):
            rule = reader.never(form)
        else:
            rule = reader.only_if(form)
        if why := objection(rule, list(known.values()), rules):
            raise source.refusal(("rules", n), str(rule), why)
        rules.append(rule)
    reals = [one for one in known.values() if isinstance(one, Real)]
    for n, rule in enumerate(rules):
        if isinstance(rule, Linear) and (why := out_of_reach(rule, reals, rules)):
            raise source.refusal(("rules", n), str(rule), why)
    return tuple(rules)


def ruled(source: Source, space: Space, rules: tuple[Rule, ...]) -> Space:
    """Return a space with rules; refuse rules that leave nothing of it."""
    try:
        return Space(space.parameters, space.pool, rules)
    except SpaceError as error:
        text = str(error).removeprefix("rules: ")
        raise ConfigError(f"{source.place('rules')}: {text}") from error


def without(rules: Iterable[Rule], parameters: Iterable[Parameter]) -> tuple[Rule, ...]:
    """Return the rules for what is left of the options; those of none are left out."""
    options = {p.name: p.options for p in parameters if not isinstance(p, Real)}
    left: list[Rule] = []
    for rule in rules:
        if isinstance(rule, Forbidden):
            when = {
                name: one
                if isinstance(one, Span)
                else tuple(option for option in one if option in options[name])
                for name, one in rule.when.items()
            }
            if all(when.values()):
                left.append(Forbidden(when))
        elif isinstance(rule, OnlyIf):
            needs = {
                name: tuple(option for option in one if option in options[name])
                for name, one in rule.needs.items()
            }
            left.append(dataclasses.replace(rule, needs=needs))
        else:
            left.append(rule)
    return tuple(left)


@dataclasses.dataclass(frozen=True, slots=True)
class _Reader(Named):
    """Reads one rule; ``where`` is its place in the file."""

    def sum_of(self, form: SumForm) -> Linear:
        named = form.sum if isinstance(form.sum, dict) else dict.fromkeys(form.sum, 1.0)
        listed = isinstance(form.sum, list)
        keys: list[Key] = [n if listed else name for n, name in enumerate(named)]
        reals = [
            self.real(name, "sum", key) for name, key in zip(named, keys, strict=True)
        ]
        first = reals[0]
        for real, key in zip(reals, keys, strict=True):
            if not units.same_kind(real.unit, first.unit):
                rule = f"is in {real.unit}, but {first.name} in {first.unit}: no sum"
                raise self.refusal(real.name, rule, "sum", key)
        unit = units.interval(first.unit)
        if any(units.interval(real.unit) != real.unit for real in reals):
            alike = all(real.unit == first.unit for real in reals)
            if not alike or math.fsum(named.values()) != 0:
                rule = (
                    "temperatures have no sum, only differences: "
                    'write sum: {hot: 1, cold: -1}, at_least: "10 K"'
                )
                raise self.refusal(", ".join(named), rule, "sum")
        bounds: dict[str, float] = {}
        for key, text in (("is", form.exactly), ("at_least", form.at_least), ("at_most", form.at_most)):  # fmt: skip
            if text is None:
                continue
            if unit != first.unit and not text.rstrip().endswith(("K", "kelvin")):
                rule = 'a difference of temperatures is wanted, e.g. "10 K"'
                raise self.refusal(text, rule, key)
            bounds[key] = self.quantity(text, unit, key)
        low = bounds.get("is", bounds.get("at_least", -math.inf))
        high = bounds.get("is", bounds.get("at_most", math.inf))
        slopes = [units.stretch(real.unit, unit) for real in reals]
        terms = zip(named.items(), slopes, strict=True)
        return Linear({name: c * slope for (name, c), slope in terms}, unit, low, high)

    def never(self, form: NeverForm) -> Forbidden:
        when: dict[str, tuple[str, ...] | Span] = {}
        for name, one in form.never.items():
            if isinstance(one, BeyondForm):
                unit = self.real(name, "never", name).unit
                ends = {
                    key: self.quantity(text, unit, "never", name, key)
                    for key, text in (("above", one.above), ("below", one.below))
                    if text is not None
                }
                when[name] = Span(unit, **ends)
            else:
                when[name] = self._options(name, one, "never")
        return Forbidden(when)

    def only_if(self, form: OnlyIfForm) -> OnlyIf:
        parameter = self.parameter(form.vary, "vary")
        needs = {
            name: self._options(name, one, "only_if")
            for name, one in form.only_if.items()
        }
        otherwise: Value = form.otherwise
        if isinstance(parameter, Real):
            otherwise = self.quantity(form.otherwise, parameter.unit, "else")
        elif otherwise not in parameter.options:
            rule = f"no such option: {near(form.otherwise, parameter.options)}"
            raise self.refusal(form.otherwise, rule, "else")
        return OnlyIf(form.vary, needs, otherwise, getattr(parameter, "unit", ""))

    def _options(self, name: str, one: str | list[str], key: str) -> tuple[str, ...]:
        parameter = self.parameter(name, key, name)
        if isinstance(parameter, Real):
            rule = "a quantity, of which a range is wanted, e.g. {above: ...}"
            if key == "only_if":
                rule = "a quantity, where a choice among names is wanted"
            raise self.refusal(name, rule, key, name)
        options = (one,) if isinstance(one, str) else tuple(one)
        for n, option in enumerate(options):
            if option not in parameter.options:
                rule = f"no such option: {near(option, parameter.options)}"
                raise self.refusal(option, rule, key, name, n)
        return options
