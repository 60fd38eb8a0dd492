"""BoTorch as its tutorials have it, to compare with: `SingleTaskGP` and qLogNEI.

Numbers in the unit cube, a column for each option, everything else as BoTorch has it by
default. It takes a pool and batches, knows nothing of failures, and is no planner for a
lab.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from planners.bayes.surrogate import targets
from planners.data import Candidate, Objective, Observation, Proposal
from planners.question import BadQuestion, all_asked, call_seed, check_question
from planners.space import Space


class PlainBotorch:
    """Proposes rows of a pool by BoTorch's own defaults."""

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        initial: int = 0,
    ) -> None:
        if not space.pool:
            raise BadQuestion("planner botorch: it searches a pool, and there is none")
        self.space, self.objective, self.seed = space, objectives[0], seed
        self._rows = {c.id: self._encode(c) for c in space.pool}

    def _encode(self, candidate: Candidate) -> np.ndarray:
        places = list(self.space.positions(candidate).values())
        for choice in self.space.choices:
            places += [
                float(candidate.values[choice.name] == o) for o in choice.options
            ]
        return np.array(places)

    def propose(
        self,
        n: int,
        *,
        observed: Sequence[Observation],
        pending: Sequence[Candidate] = (),
        failed: Sequence[Candidate] = (),
    ) -> Proposal:
        """Return ``n`` candidates to make next (see `planners.protocol.Planner`)."""
        check_question(n, observed, self.space, [self.objective])
        asked = all_asked(observed, pending, failed)
        told = len(observed) + len(pending) + len(failed)
        seed = int(call_seed(self.seed, told).generate_state(1)[0])
        x = self._points([o.candidate for o in observed])
        y = torch.from_numpy(targets(observed, self.objective)).unsqueeze(-1)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = SingleTaskGP(x, y)
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            chosen: list[Candidate] = []
            for _ in range(n):
                waiting = [*pending, *chosen]
                gain = qLogNoisyExpectedImprovement(
                    model, x, X_pending=self._points(waiting) if waiting else None
                )
                free = [c for c in self.space.pool if c not in asked]
                with torch.no_grad():
                    parts = torch.split(self._points(free).unsqueeze(-2), 512)
                    value = torch.cat([gain(part) for part in parts])
                chosen.append(free[int(value.argmax())])
                asked.add(chosen[-1])
        return Proposal(tuple(chosen), {"planner": "botorch", "seed": self.seed})

    def _points(self, candidates: Sequence[Candidate]) -> torch.Tensor:
        rows = [self._rows[candidate.id] for candidate in candidates]
        return torch.from_numpy(np.array(rows))
