"""Four pins on a film: contacts, thermoelectric voltages, and one pin that may be bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sims.models.four_terminal import Response, Vector, film_conductances, solve

if TYPE_CHECKING:
    from sims.bench import Bench

SENSE_OF_A_LEAD = 0.05


class Probe:
    """What hangs on the source-meter's leads: a switch matrix and a film, or a resistor.

    Parameters
    ----------
    bench:
        Where the matrix and the sample are looked up, at each reading.
    name:
        The source-meter's name; seeds the contacts.
    settings:
        ``matrix`` and ``slot``; ``load``, in ohm: a check resistor that the leads rest
        on while every relay is open.
    """

    def __init__(self, bench: Bench, name: str, settings: Any) -> None:
        self._bench = bench
        self._name = name
        self._matrix = str(settings.get("matrix"))
        self._slot = settings.get("slot")
        self._load = settings.get("load")
        self._pins: dict[str, tuple[Vector, Vector]] = {}
        if self._slot:
            bench.world.on_arrival(self._slot, self._land)

    def _land(self) -> None:
        """Let the pins down on a sample that has just come."""
        sample = self._bench.world.sample_at(self._slot)
        if sample is not None:
            sample.touch()

    def response(self, *, remote: bool) -> Response:
        """Return what the leads see now."""
        sample = self._bench.world.sample_at(self._slot) if self._slot else None
        matrix: Any = self._bench.instruments.get(self._matrix)
        closed = frozenset() if matrix is None else matrix.model.crosspoints()
        if self._load is not None and not closed:
            load = float(self._load)
            return Response(load + SENSE_OF_A_LEAD, load + 0.0 * remote, 0.0)
        if sample is None:  # the pins stand in air
            return solve(
                np.zeros((4, 4)), closed, np.ones(4), np.zeros(4), remote=remote
            )
        contact, emf = self._pins_on(sample.name)
        film = film_conductances(*sample.contacts())
        return solve(film, closed, *self._shaken(sample, contact, emf), remote=remote)

    def _pins_on(self, sample: str) -> tuple[Vector, Vector]:
        """Return contact resistances and thermoelectric voltages, fixed for one film."""
        if sample not in self._pins:
            rng = self._bench.fresh_rng(f"{self._name}.{sample}")
            size = np.exp(rng.uniform(np.log(1e-6), np.log(50e-6)))
            shape = rng.uniform(-1.0, 1.0, 4)
            emf = size * (shape - shape.mean()) / np.ptp(shape)
            self._pins[sample] = rng.lognormal(np.log(20.0), 0.4, 4), emf
        return self._pins[sample]

    def _shaken(
        self, sample: Any, contact: Vector, emf: Vector
    ) -> tuple[Vector, Vector]:
        """Let a bad contact jump: its resistance and its voltage differ each time."""
        bad = bad_contact(sample)
        if bad is None:
            return contact, emf
        rng = self._bench.rng(f"{self._name}.bad_contact")
        contact, emf = contact.copy(), emf.copy()
        contact[bad] = rng.lognormal(np.log(1e4), 1.0)
        emf[bad] += rng.normal(0.0, 2e-3)
        return contact, emf


def bad_contact(sample: Any) -> int | None:
    """Return the index of the sample's bad contact, from 0, or None.

    A sample says ``bad_contact`` as a number from 1 to 4, or as yes (then it is the
    third, far from the operator), or as None, False or 0.
    """
    said = getattr(sample, "bad_contact", None)
    if said is None or said is False or said == 0:
        return None
    return 2 if said is True else (int(said) - 1) % 4
