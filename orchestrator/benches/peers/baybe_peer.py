"""BayBE 0.15: its `Campaign` with the default recommender, on a discrete space.

Default taken: `TwoPhaseMetaRecommender`, which goes over to `BotorchRecommender` (a
Gaussian process with BayBE's preset, and qLogEI) from the first measurement on; batches
by its sequential optimisation over the candidates. Documented in the user guide, pages
"Campaigns", "Recommenders" and "Search spaces" (`SearchSpace.from_dataframe`), and in
the sources `baybe/campaign.py`, `baybe/recommenders/meta/sequential.py`.

Molecules are `SubstanceParameter` with its default encoding (Mordred descriptors,
decorrelated), choices `CategoricalParameter` (a column for each option), numbers
`NumericalDiscreteParameter` with the values of the pool.

Decided by us: rows that were measured are no candidates
(`allow_recommending_already_measured=False`: by default BayBE leaves out only what it
recommended itself), failed rows are excluded; of numbers on a log scale BayBE gets the
logarithm. Molecules that several names share are one label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.benches.peers.protocol import TARGET, Answers, Pool, Question, serve


def start(pool: Pool) -> Answers:
    """Return what answers for one search."""
    from baybe import Campaign, Settings
    from baybe.parameters import (
        CategoricalParameter,
        NumericalDiscreteParameter,
        SubstanceParameter,
    )
    from baybe.searchspace import SearchSpace
    from baybe.targets import NumericalTarget
    from baybe.utils.chemistry import get_canonical_smiles

    Settings(random_seed=pool.seed).activate()
    rows, parameters = pool.rows.copy(), []
    for p in pool.parameters:
        if p.kind == "real":
            if p.scale == "log":
                rows[p.name] = np.log10(rows[p.name])
            values = sorted(rows[p.name].unique())
            parameters.append(NumericalDiscreteParameter(p.name, values))
        elif p.kind == "choice":
            parameters.append(CategoricalParameter(p.name, list(p.options)))
        else:
            alike = {n: get_canonical_smiles(s) for n, s in p.options.items()}
            label = {smiles: name for name, smiles in reversed(alike.items())}
            rows[p.name] = rows[p.name].map(alike).map(label)
            labels = {name: smiles for smiles, name in label.items()}
            parameters.append(SubstanceParameter(p.name, labels))
    space = SearchSpace.from_dataframe(rows, parameters)
    if not space.discrete.exp_rep.index.equals(rows.index):
        raise ValueError("BayBE numbers the rows otherwise")
    campaign = Campaign(
        space,
        NumericalTarget(TARGET, minimize=pool.minimise),
        allow_recommending_already_measured=False,
    )
    told: set[int] = set()

    def answers(question: Question) -> Sequence[int]:
        fresh = [
            (row, value)
            for row, value in zip(question.observed, question.values, strict=True)
            if row not in told
        ]
        if fresh:
            made = rows.loc[[row for row, _ in fresh]].copy()
            made[TARGET] = [value for _, value in fresh]
            campaign.add_measurements(made)
        if lost := [row for row in question.failed if row not in told]:
            campaign.toggle_discrete_candidates(rows.loc[lost], exclude=True)
        told.update(question.told)
        return [int(row) for row in campaign.recommend(question.n).index]

    return answers


if __name__ == "__main__":
    serve(start)
