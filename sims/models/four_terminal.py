"""A film with four contacts, a relay matrix and a source: who sees which voltage.

The circuit is solved whole, so a contact that is left open, driven twice or wired to
the wrong row does what it would do on the bench.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

RELAY = 0.3
"""Ohm of a closed relay and its lead. [A]"""
LEAK = 1e-12
"""Siemens from everywhere to earth: a dry board."""
FORCE_HI, FORCE_LO, SENSE_HI, SENSE_LO = range(4)
SPREADING = 4.8
"""Resistance between opposite contacts, over r_a + r_b, for contacts of 5 % of the edge."""


def film_conductances(r_a: float, r_b: float) -> Vector:
    r"""Return the 4 x 4 nodal conductance matrix of a film with four edge contacts.

    By reciprocity and :math:`R_{12,43} + R_{23,14} = R_{13,42}` two numbers decide all
    four-wire readings. With two-wire resistances :math:`d_{13} = d_{24} = D`,
    :math:`d_{14} = d_{23} = D - r_a`, :math:`d_{12} = d_{34} = D - r_b` both come out
    right for every :math:`D > r_a + r_b`; the matrix is the pseudo-inverse of
    :math:`-\tfrac12 J d J` with :math:`J` the centring projector.

    Parameters
    ----------
    r_a, r_b:
        R12,43 and R23,14 in ohm; infinite for no film.

    Returns
    -------
    :
        Conductances in siemens; rows sum to nought.
    """
    if not np.isfinite(r_a + r_b) or r_a + r_b <= 0.0:
        return np.zeros((4, 4))
    across = SPREADING * (r_a + r_b)
    distance = np.zeros((4, 4))
    for i, j in ((0, 2), (1, 3)):
        distance[i, j] = distance[j, i] = across
    for i, j in ((0, 3), (1, 2)):
        distance[i, j] = distance[j, i] = across - r_a
    for i, j in ((0, 1), (2, 3)):
        distance[i, j] = distance[j, i] = across - r_b
    centring = np.eye(4) - 0.25
    return np.asarray(np.linalg.pinv(-0.5 * centring @ distance @ centring))


@dataclass(frozen=True, slots=True)
class Response:
    """What the source-meter sees of a circuit, per ampere and without any.

    Parameters
    ----------
    force:
        Resistance that the source drives, in ohm.
    sense:
        Voltage at the sense leads per ampere, in ohm; negative when crossed.
    offset:
        Voltage at the sense leads without current, in volt.
    """

    force: float
    sense: float
    offset: float


def solve(
    film: Vector,
    closed: Iterable[tuple[int, int]],
    contact: Vector,
    emf: Vector,
    *,
    remote: bool,
) -> Response:
    """Solve the circuit of terminals, relays, contacts and film.

    Parameters
    ----------
    film:
        Nodal conductances between the film's contacts, in siemens, shape 4 x 4.
    closed:
        Closed relays as (row, column) from 1; rows 1 to 4 are force HI, force LO,
        sense HI, sense LO, columns 1 to 4 the contacts.
    contact:
        Resistance of each contact, in ohm, shape 4.
    emf:
        Thermoelectric voltage at each contact, in volt, shape 4.
    remote:
        Whether the sense leads are used; else they are tied to the force leads inside.
    """
    terminals, columns, film_nodes = range(4), range(4, 8), range(8, 12)
    g = np.diag(np.full(12, LEAK))
    injected = np.zeros((12, 2))

    def join(i: int, j: int, conductance: float) -> None:
        g[i, i] += conductance
        g[j, j] += conductance
        g[i, j] -= conductance
        g[j, i] -= conductance

    for row, column in closed:
        if 1 <= row <= 4 and 1 <= column <= 4:
            join(terminals[row - 1], columns[column - 1], 1.0 / RELAY)
    for k in range(4):
        join(columns[k], film_nodes[k], 1.0 / contact[k])
        injected[columns[k], 1] += emf[k] / contact[k]
        injected[film_nodes[k], 1] -= emf[k] / contact[k]
    g[np.ix_(list(film_nodes), list(film_nodes))] += film
    if not remote:
        join(FORCE_HI, SENSE_HI, 1e3)
        join(FORCE_LO, SENSE_LO, 1e3)
    g[FORCE_LO, FORCE_LO] += 1e3  # the instrument's LO is the reference
    injected[FORCE_HI, 0], injected[FORCE_LO, 0] = 1.0, -1.0
    potential = np.linalg.solve(g, injected)
    force = potential[FORCE_HI] - potential[FORCE_LO]
    sense = potential[SENSE_HI] - potential[SENSE_LO]
    return Response(float(force[0]), float(sense[0]), float(sense[1]))
