"""The Bayesian planner: a space-filling start, then the largest expected gain."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np
import torch

from planners.bayes.acquisition import Score, in_chunks, peaks
from planners.bayes.design import COMBINATIONS, Design
from planners.bayes.earlier import Past
from planners.bayes.encoding import Encoding
from planners.bayes.learned import Learned
from planners.bayes.quantities import Quantities
from planners.bayes.screen import device, is_large, promising
from planners.bayes.surrogate import NUMERICAL, FitFailed
from planners.bayes.weighing import Weighing
from planners.beliefs import Beliefs
from planners.cost import Cost
from planners.data import (
    Candidate,
    Earlier,
    Limit,
    Objective,
    Observation,
    Proposal,
)
from planners.desirability import Desirability
from planners.question import (
    Asked,
    BadQuestion,
    SpaceExhausted,
    all_asked,
    call_seed,
    check_question,
)
from planners.space import Space

ENOUGH = 2
"""Observations without which a surrogate is not fitted; one more if anything failed.

Two that lie at the edge of a corner where all is lost would only say which way it is.
"""

RECALLED = 512
"""Scattered candidates among which an earlier campaign chooses, in a space without a pool.
"""

BEST = 2
"""Of how many of the best observations the reals are tried with everything else."""


SHORT = 1024
"""Rows, or combinations of options, looked at for the second of a batch and later, and
for what at most is to be gained.

What is pending takes gain away from every point and adds it to none, so that those
which had little before need no second look.
"""


@dataclass(slots=True)
class Fitted:
    """What one call has learned, and where it looks.

    ``among`` are the points of the pool, or else the combinations of options, that are
    looked at; ``rows`` are their numbers in the pool. Gains are weighed by ``weighing``.
    """

    learned: Learned
    weighing: Weighing
    among: torch.Tensor
    rows: torch.Tensor


class BayesPlanner:
    """Proposes what a Gaussian process expects to gain most from.

    Parameters
    ----------
    space, objectives:
        Of the campaign. Of several objectives the hypervolume of the front is to grow;
        a `planners.desirability.Desirability` stands alone.
    seed:
        Chooses the initial design and every later draw.
    initial:
        Candidates of the initial design, before any surrogate is asked.
    limits:
        What must be kept besides.
    earlier:
        Other campaigns of the same space: half of the initial design is what they would
        make.
    replicates:
        Whether a candidate may be proposed again, where noise and not ignorance limits.
    wanted:
        How many good candidates: what counts is the gain over the last of so many.
    cost:
        Of a trial; the gain is divided by its root.
    beliefs:
        Where the best is believed to be: half of the initial design is drawn by that, and
        the gain leans to it until enough was observed.
    on, single:
        The device on which a large space has its first look, and whether that is in
        single precision (`planners.bayes.screen`).
    """

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        initial: int,
        *,
        limits: Sequence[Limit] = (),
        earlier: Sequence[Earlier] = (),
        replicates: bool = False,
        wanted: int = 1,
        cost: Cost | None = None,
        beliefs: Beliefs | None = None,
        on: str = "cpu",
        single: bool = False,
    ) -> None:
        if not objectives:
            raise BadQuestion("planner bayes: no objective, it needs one or more")
        if len(objectives) > 1 and any(isinstance(o, Desirability) for o in objectives):
            raise BadQuestion("planner bayes: a desirability allows no other objective")
        self.space = space
        self.objectives, self.limits = tuple(objectives), tuple(limits)
        if wanted > 1 and (len(objectives) > 1 or replicates):
            rule = "one objective and no replicates if several good ones are wanted"
            raise BadQuestion(f"planner bayes: wanted {wanted} — {rule}")
        for stated in (cost, beliefs):
            if stated is not None:
                stated.check(space)
        self.cost, self.beliefs = cost, beliefs
        self._encoding, self._quantities = Encoding(space), Quantities(space)
        for one in earlier:
            check_question(1, one.observations, space, self.objectives)
        self._past = Past(earlier, self._encoding, self.objectives)
        self.seed, self.initial, self.replicates = seed, initial, replicates
        self.wanted = wanted
        self._listed = space.listed(COMBINATIONS)
        self._pool = self._encoding.encode(self._listed)
        self._design = Design(self._encoding, self._listed, seed)
        # A promise knows the boxes of objectives, and not the shape of a desirability.
        plain = not any(isinstance(one, Desirability) for one in self.objectives)
        self._screened = plain and is_large(space, len(self._listed))
        self._screen = partial(promising, device=device(on), single=single)

    def propose(
        self,
        n: int,
        *,
        observed: Sequence[Observation],
        pending: Sequence[Candidate] = (),
        failed: Sequence[Candidate] = (),
    ) -> Proposal:
        """Return ``n`` candidates to make next (see `planners.protocol.Planner`).

        A batch is chosen one by one, each as if those before it were pending.
        """
        check_question(n, observed, self.space, self.objectives, self.limits)
        told = len(observed) + len(pending) + len(failed)
        asked = all_asked(observed, pending, failed)
        card: dict[str, Any] = {
            "planner": "bayes", "seed": self.seed, "observed": len(observed),
            "pending": len(pending), "failed": len(failed), "candidates": [],
        }  # fmt: skip
        if self._past.notes:
            card["earlier campaigns"] = self._past.notes
        if self.cost:
            card["unit of cost"] = self.cost.unit
        weighing = Weighing(
            self._quantities, self.cost, self.beliefs, observed, pending, failed
        )
        chosen: list[Candidate] = []
        with _one_thread(), _noted(card):
            fitted = self._fitted(n, observed, pending, failed, weighing, card)
            while len(chosen) < n:
                index = told + len(chosen)
                candidate, reason = self._next(
                    index, chosen, fitted, asked, failed, card
                )
                reason |= weighing.note(candidate, chosen)
                card["candidates"].append({"id": candidate.id, **reason})
                chosen.append(candidate)
                asked.add(candidate)
        return Proposal(tuple(chosen), card)

    def _fitted(
        self,
        n: int,
        observed: Sequence[Observation],
        pending: Sequence[Candidate],
        failed: Sequence[Candidate],
        weighing: Weighing,
        card: dict[str, Any],
    ) -> Fitted | None:
        """Fit the surrogates; None, and the card says why, if that cannot be."""
        told = len(observed) + len(pending) + len(failed)
        if told + n <= self.initial:
            return None
        enough = ENOUGH + bool(failed)
        if len(observed) < enough:
            why = f"{len(observed)} observations, a fit needs {enough}"
            card["fallback"] = f"space-filling point: {why}"
            return None
        try:
            learned = Learned(
                self._encoding,
                self.objectives,
                self.limits,
                observed,
                failed,
                pending,
                self.wanted,
            )
        except (FitFailed, *NUMERICAL) as reason:
            card["fallback"] = f"space-filling point: {reason}"
            return None
        card.update(learned.card(self.seed))
        if self._screened:
            seed = int(call_seed(self.seed, told).generate_state(1)[0])
            known = self._known(learned)
            among, rows, card["screened"] = self._screen(
                learned, self._pool, known, seed
            )
            return Fitted(learned, weighing, among, rows)
        among = self._pool
        if not self._listed:
            r = len(self._encoding.real_names)
            among = self._design.labels(told, learned.points[list(learned.own), r:])
        return Fitted(learned, weighing, among, torch.arange(len(among)))

    def _known(self, learned: Learned) -> torch.Tensor:
        """Return the positions of the reals that are tried with everything else."""
        return learned.best(BEST)[:, : len(self._encoding.real_names)].clamp(0.0, 1.0)

    def _next(
        self,
        told: int,
        chosen: Sequence[Candidate],
        fitted: Fitted | None,
        asked: Asked,
        failed: Sequence[Candidate],
        card: dict[str, Any],
    ) -> tuple[Candidate, dict[str, Any]]:
        """Return one candidate and the reason for it."""
        if told < self.initial:
            if told % 2 == 0 and (self._past.expected or self.beliefs is not None):
                return self._leaned(told, asked)
            return self._design.fill(told, asked), {"reason": "initial design"}
        why = card.get("fallback")
        if fitted is not None:
            try:
                return self._gain_most(told, chosen, fitted, asked, card)
            except (FitFailed, *NUMERICAL) as error:
                why = card["fallback"] = f"space-filling point: {error}"
        reason = {"reason": "space-filling", "why": why}
        return self._design.point(told, asked, failed), reason

    def _leaned(self, told: int, asked: Asked) -> tuple[Candidate, dict[str, Any]]:
        """Return what an earlier campaign would make, or one draws by what is believed.

        Each in its turn.
        """
        earlier = len(self._past.expected)
        turn = told // 2 % (earlier + (self.beliefs is not None))
        if self.beliefs is not None and turn == earlier:
            rng = np.random.default_rng(call_seed(self.seed, told))
            found = self.beliefs.draw(self.space, self._listed, rng, asked)
            return found, {"reason": "initial design, as believed"}
        listed, places = self._listed, self._pool
        if not listed:
            listed = tuple(self._design.fill(i, Asked([])) for i in range(RECALLED))
            places = self._encoding.encode(listed)
        name, order = self._past.best(turn, places)
        for row in order:
            if listed[row] not in asked:
                return listed[row], {"reason": f"initial design, as {name}"}
        raise SpaceExhausted("space: all candidates were asked for")

    def _gain_most(
        self,
        told: int,
        chosen: Sequence[Candidate],
        fitted: Fitted,
        asked: Asked,
        card: dict[str, Any],
    ) -> tuple[Candidate, dict[str, Any]]:
        seed = int(call_seed(self.seed, told).generate_state(1)[0])
        learned, weighing = fitted.learned, fitted.weighing
        gain = weighing.weighed(learned.gain(chosen, seed), chosen)
        ranked = self._ranked(gain, fitted, seed)
        if not chosen and len(self.objectives) == 1:
            first = list(islice(ranked, SHORT))
            places = self._encoding.encode([candidate for _, candidate in first])
            card["regret_bound"] = round(learned.regret_bound(places), 4)
            ranked = chain(first, ranked)
        for weighed, candidate in ranked:
            if candidate in asked:
                continue
            by_cost = weighed - weighing.believed(candidate)
            again = None
            if self.replicates:
                again = learned.again(by_cost, chosen, weighing.again(learned.observed))
            log_gain = by_cost + math.log(weighing.divisor(candidate, chosen))
            reason: dict[str, Any] = {"reason": "replicate"}
            if again is None:
                reason = {"reason": "expected gain", "log_gain": round(log_gain, 4)}
            best = again or candidate
            return best, {**reason, **learned.predicted(best)}
        raise FitFailed("every optimum of the acquisition function was asked for")

    def _ranked(
        self, score: Score, fitted: Fitted, seed: int
    ) -> Iterator[tuple[float, Candidate]]:
        """Yield candidates and their scores, best first."""
        if self._listed:
            value = in_chunks(score, fitted.among)
            order = value.argsort(descending=True, stable=True)
            found = zip(value[order].tolist(), fitted.rows[order].tolist(), strict=True)
            self._shorten(fitted, order)
            for log_gain, row in found:
                yield log_gain, self._listed[row]
            return
        known, labels = self._known(fitted.learned), fitted.among
        found_there, order = peaks(score, labels, known, seed, self._encoding.places)
        self._shorten(fitted, order)
        for peak in found_there:
            options = self._encoding.options(labels[peak.combination].tolist())
            yield peak.log_gain, self._encoding.decode(peak.positions, options)

    @staticmethod
    def _shorten(fitted: Fitted, order: torch.Tensor) -> None:
        """Keep what is worth another look; ``order`` has the best first."""
        if len(order) > SHORT:
            fitted.among = fitted.among[order[:SHORT]]
            fitted.rows = fitted.rows[order[:SHORT]]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread, then as many as before.

    The order of a sum depends on the number of threads, and so would the proposal;
    matrices of this size are not faster on two.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _noted(card: dict[str, Any]) -> Iterator[None]:
    """Write what the numerical libraries warn of into the card; it is no one's log."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    notes = {
        str(w.message).splitlines()[0]
        for w in caught
        if issubclass(w.category, RuntimeWarning | UserWarning)
    }
    if notes:
        card["warnings"] = sorted(notes)
