"""What every planner promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from planners.data import Candidate, Observation, Proposal


class Planner(Protocol):
    """A question with one answer: all it may know arrives as arguments.

    The seed was given at birth. The same arguments give the same proposal, in any
    process, so that a campaign can be replayed from its ledger.
    """

    def propose(
        self,
        n: int,
        *,
        observed: Sequence[Observation],
        pending: Sequence[Candidate] = (),
        failed: Sequence[Candidate] = (),
    ) -> Proposal:
        """Return ``n`` candidates to make next.

        Parameters
        ----------
        n:
            How many, at least 1.
        observed:
            Every observation so far, in the order of the ledger.
        pending:
            Candidates whose trials have started and not ended.
        failed:
            Candidates whose trials failed; never proposed again unchanged.
        """
        ...
