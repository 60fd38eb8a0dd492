"""The design: what is made before a surrogate can be asked, and which options there are.

Shapes: m points, c combinations of options, k choices, d columns of a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from planners.baseline import draw
from planners.bayes.acquisition import scattered
from planners.bayes.encoding import Encoding
from planners.data import Candidate
from planners.question import Asked, SpaceExhausted, call_seed

COMBINATIONS = 30_000
"""Most combinations of options that one call looks at."""

AWAY = 64
"""Of how many points of the design the one farthest from failures is taken."""


class Design:
    """Points that fill a space, each known by its number, in an order of the seed."""

    def __init__(
        self, encoding: Encoding, listed: Sequence[Candidate], seed: int
    ) -> None:
        self.encoding, self.space, self.seed = encoding, encoding.space, seed
        self.listed = listed
        order = np.random.default_rng(seed).permutation(len(listed))
        self._order = [int(row) for row in order]

    def point(self, index: int, asked: Asked, failed: Sequence[Candidate]) -> Candidate:
        """Return the next point of the design; if some failed, one far from those.

        Raises
        ------
        SpaceExhausted
            If everything was asked for.
        """
        if not failed:
            return self.fill(index, asked)
        some = self._free(asked) or [self.fill(index + i, asked) for i in range(AWAY)]
        encoding = self.encoding
        views = encoding.views or [""]
        apart = encoding.between(encoding.encode(some), encoding.encode(failed))
        counted = apart[torch.tensor(encoding.used(views[0]))].sum(dim=0)
        return some[int(counted.amin(dim=-1).argmax())]

    def _free(self, asked: Asked) -> list[Candidate]:
        """Return the next of the pool that were not asked for; none without a pool."""
        free: list[Candidate] = []
        for row in self._order:
            if self.listed[row] not in asked:
                free.append(self.listed[row])
            if len(free) == AWAY:
                break
        if self.listed and not free:
            every = len(self.listed)
            raise SpaceExhausted(f"space: all {every} candidates were asked for")
        return free

    def fill(self, index: int, asked: Asked) -> Candidate:
        """Return a point of the scrambled Sobol sequence, options dealt like cards.

        With rules, a point of a space-filling design of the region that they leave.

        Every combination comes once before any comes again, in an order that the seed
        shuffles. Of a pool, the next row of a shuffled list.
        """
        if self.listed:
            return self._free(asked)[0]
        encoding, space = self.encoding, self.space
        sizes = [len(choice.options) for choice in space.choices]
        count, few = math.prod(sizes), math.prod(sizes) <= COMBINATIONS
        rng = np.random.default_rng(call_seed(self.seed, index))
        if space.rules and not few:
            return draw(space, rng, asked)
        cards = self.labels(index, torch.zeros(1, 0)).numpy() if few else None
        count = count if cards is None else len(cards)
        deck, place = divmod(index, count)
        dealer = np.random.default_rng([self.seed, deck])
        if cards is not None:
            label = cards[int(dealer.permutation(count)[place])]
        elif count >= 2**63:  # more than a number here can count
            label = rng.integers(0, sizes).astype(float)
        else:  # a deck that no campaign comes to the end of
            card = int(dealer.integers(count, size=place + 1)[-1])
            label = np.array(np.unravel_index(card, sizes), float)
        r = len(encoding.real_names)
        positions = np.zeros(0)
        if r and space.rules:
            positions = encoding.places.design(label, index, self.seed)
        elif r:
            positions = scattered(index + 1, r, self.seed)[-1].numpy()
        options = encoding.options([float(one) for one in label])
        candidate = encoding.decode(positions, options)
        return draw(space, rng, asked) if candidate in asked else candidate

    def labels(self, told: int, seen: torch.Tensor) -> torch.Tensor:
        """Return combinations of options to look at: all, or some and the seen; c x k."""
        sizes = [len(choice.options) for choice in self.space.choices]
        if not sizes:
            return seen[:1]
        allowed = self.encoding.places.allowed
        if math.prod(sizes) <= COMBINATIONS:
            every = np.indices(sizes).reshape(len(sizes), -1).T
            return allowed(
                torch.from_numpy(every.astype(float).reshape(-1, len(sizes)))
            )
        rng = np.random.default_rng(call_seed(self.seed, told))
        drawn = rng.integers(0, sizes, size=(COMBINATIONS, len(sizes))).astype(float)
        both = torch.cat([torch.from_numpy(drawn), seen])
        found: torch.Tensor = torch.unique(allowed(both), dim=0)
        return found
