"""PHYSBO 3.2: `physbo.search.discrete.Policy`, asked as its manual does interactively.

Default taken: `bayes_search(max_num_probes=1, simulator=None, score="EI", interval=0)`,
the call of the tutorial "Running PHYSBO interactively", with `num_search_each_probe` for
batches ("Search multiple candidates at once") and hyperparameters learned anew at each
call. Without random features (`num_rand_basis=0`, the default of the function): an exact
Gaussian process, which they approximate for large data.

Decided by us: PHYSBO takes a matrix and describes nothing. Numbers are one column each
(their logarithm on a log scale), choices and molecules a column for each option; all are
standardised by `physbo.misc.centering` as in the tutorials. It maximises, so that a
value to be small is negated. Before two observations a random row is drawn, as the
tutorials begin. Failed rows are no actions. With two observations its expected
improvement is often the same everywhere, and it takes the first of equals: the rows are
shuffled, or the order of the table would decide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.benches.peers.protocol import LEAST, Answers, Pool, Question, serve


def start(pool: Pool) -> Answers:
    """Return what answers for one search."""
    import physbo

    rng = np.random.RandomState(pool.seed)
    order = rng.permutation(len(pool.rows))
    place = order.argsort()
    matrix = pool.cube()[order]
    matrix = physbo.misc.centering(matrix[:, matrix.std(axis=0) > 0])
    sign = -1.0 if pool.minimise else 1.0
    state = rng.get_state()

    def answers(question: Question) -> Sequence[int]:
        nonlocal state
        if len(question.observed) < LEAST:
            return question.drawn(pool)
        np.random.set_state(state)  # noqa: NPY002 as PHYSBO has it
        made = place[question.observed], sign * np.array(question.values)
        policy = physbo.search.discrete.Policy(matrix, initial_data=made)
        policy.actions = np.setdiff1d(
            policy.actions, place[np.array(question.failed, int)]
        )
        rows = policy.bayes_search(
            max_num_probes=1,
            num_search_each_probe=question.n,
            score="EI",
            interval=0,
            is_disp=False,
        )
        state = np.random.get_state()  # noqa: NPY002
        return [int(row) for row in order[rows]]

    return answers


if __name__ == "__main__":
    serve(start)
