"""The Bayesian planner: a space-filling start, then the largest expected gain."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from linear_operator.utils.warnings import NumericalWarning

from planners.baseline import draw
from planners.bayes.acquisition import expected_gain, peaks, scattered
from planners.bayes.encoding import Encoding
from planners.bayes.surrogate import (
    NUMERICAL,
    FitFailed,
    fit,
    model_card,
    targets,
)
from planners.data import Candidate, Objective, Observation, Proposal
from planners.question import (
    Asked,
    BadQuestion,
    all_asked,
    call_seed,
    check_question,
)
from planners.space import Space

ENOUGH = 3
"""Observations without which a surrogate is not fitted."""

COMBINATIONS = 256
"""Most combinations of options that one call looks at."""


class BayesPlanner:
    """Proposes what a Gaussian process expects to gain most from.

    Parameters
    ----------
    space, objectives:
        Of the campaign; one objective.
    seed:
        Chooses the initial design and every later draw.
    initial:
        Candidates of the initial design, before any surrogate is asked.
    """

    def __init__(
        self, space: Space, objectives: Sequence[Objective], seed: int, initial: int
    ) -> None:
        if len(objectives) != 1:
            raise BadQuestion(
                f"planner bayes: {len(objectives)} objectives, it can take one"
            )
        self.space = space
        self.objective = objectives[0]
        self.seed = seed
        self.initial = initial
        self._encoding = Encoding(space)

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
        check_question(n, observed, self.space, [self.objective])
        told = len(observed) + len(pending) + len(failed)
        asked = all_asked(observed, pending, failed)
        card: dict[str, Any] = {
            "planner": "bayes", "seed": self.seed, "observed": len(observed),
            "pending": len(pending), "failed": len(failed), "candidates": [],
        }  # fmt: skip
        chosen: list[Candidate] = []
        with _one_thread(), _noted(card):
            while len(chosen) < n:
                candidate, reason = self._next(
                    told + len(chosen),
                    observed,
                    [*pending, *chosen],
                    failed,
                    asked,
                    card,
                )
                card["candidates"].append({"id": candidate.id, **reason})
                chosen.append(candidate)
                asked.add(candidate)
        return Proposal(tuple(chosen), card)

    def _next(
        self,
        told: int,
        observed: Sequence[Observation],
        pending: Sequence[Candidate],
        failed: Sequence[Candidate],
        asked: Asked,
        card: dict[str, Any],
    ) -> tuple[Candidate, dict[str, Any]]:
        """Return one candidate and the reason for it."""
        if told < self.initial:
            return self._fill(told, asked), {"reason": "initial design"}
        if len(observed) < ENOUGH:
            why = f"{len(observed)} observations, a fit needs {ENOUGH}"
            card["fallback"] = f"space-filling point: {why}"
            return self._fill(told, asked), {"reason": "space-filling", "why": why}
        seed = int(call_seed(self.seed, told).generate_state(1)[0])
        try:
            return self._gain_most(seed, observed, pending, failed, asked, card)
        except (FitFailed, *NUMERICAL) as reason:
            card["fallback"] = f"space-filling point: {reason}"
            return (
                self._fill(told, asked),
                {"reason": "space-filling", "why": str(reason)},
            )

    def _gain_most(
        self,
        seed: int,
        observed: Sequence[Observation],
        pending: Sequence[Candidate],
        failed: Sequence[Candidate],
        asked: Asked,
        card: dict[str, Any],
    ) -> tuple[Candidate, dict[str, Any]]:
        encode = self._encoding.encode
        points = encode([o.candidate for o in observed])
        surrogate = fit(points, targets(observed, self.objective))
        card["surrogate"] = model_card(surrogate, self._encoding.names, self.objective)
        card["fallback"] = surrogate.fallback or None
        success = None
        if failed:
            tried = np.vstack([points, encode(failed)])
            success = fit(tried, np.repeat([1.0, 0.0], [len(points), len(failed)]))
        score = expected_gain(
            surrogate.model,
            torch.from_numpy(points),
            torch.from_numpy(encode(pending)),
            success,
            seed,
        )
        options = self._combinations(seed, observed)
        labels = np.array([self._encoding.label(o) for o in options])
        found = peaks(
            score, torch.from_numpy(labels), len(self._encoding.real_names), seed
        )
        for peak in found:
            candidate = self._encoding.decode(peak.positions, options[peak.combination])
            if candidate not in asked:
                mean, deviation = surrogate.predict(encode([candidate]))
                sign = -1 if self.objective.direction == "minimise" else 1
                return candidate, {
                    "reason": "expected gain",
                    "log_gain": round(peak.log_gain, 4),
                    "predicted": round(sign * float(mean[0]), 4),
                    "predicted_std": round(float(deviation[0]), 4),
                }
        raise FitFailed("every optimum of the acquisition function was asked for")

    def _combinations(
        self, seed: int, observed: Sequence[Observation]
    ) -> list[dict[str, str]]:
        """Return the combinations of options to look at: all, or some and the seen."""
        every = list(self.space.combinations())
        if len(every) <= COMBINATIONS:
            return every
        names = [choice.name for choice in self.space.choices]
        seen = {tuple(str(o.candidate.values[n]) for n in names) for o in observed}
        drawn = np.random.default_rng(seed).choice(
            len(every), COMBINATIONS, replace=False
        )
        keep = set(drawn.tolist())
        return [
            options
            for i, options in enumerate(every)
            if i in keep or tuple(options.values()) in seen
        ]

    def _fill(self, index: int, asked: Asked) -> Candidate:
        """Return a point of the scrambled Sobol sequence, options dealt like cards.

        Every combination comes once before any comes again, in an order that the seed
        shuffles.
        """
        every = list(self.space.combinations())
        deck, place = divmod(index, len(every))
        shuffled = np.random.default_rng([self.seed, deck]).permutation(len(every))
        r = len(self._encoding.real_names)
        positions = np.zeros(0)
        if r:
            positions = scattered(index + 1, r, self.seed)[-1].numpy()
        candidate = self._encoding.decode(positions, every[shuffled[place]])
        if candidate in asked:
            rng = np.random.default_rng(call_seed(self.seed, index))
            return draw(self.space, rng, asked)
        return candidate


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
        if issubclass(w.category, NumericalWarning | RuntimeWarning | UserWarning)
    }
    if notes:
        card["warnings"] = sorted(notes)
