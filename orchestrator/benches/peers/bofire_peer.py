"""BoFire 0.5: `SoboStrategy` with its defaults, its acquisition scored over the pool.

Default taken: qLogNEI and the surrogate that `BotorchStrategy` generates where none is
named: `SingleTaskGPSurrogate` (RBF kernel, Hvarfner priors) or, with a choice among the
inputs, `MixedSingleTaskGPSurrogate` (Hamming distance). Molecules are
`CategoricalMolecularInput`, encoded as fingerprints by default. Documented in the
getting-started guide and in the sources `bofire/data_models/strategies/predictives/`.

Decided by us: BoFire 0.5 no longer asks from a pool of candidates, so the rows not yet
made are scored by `calc_acquisition`, its documented call for given candidates, and the
best is taken; a batch is taken one by one, those before being pending
(`set_candidates`), as BoFire's own optimiser does for lists of categories. Before two
observations there is no model, and a random row is drawn. Numbers on a log scale arrive
as logarithms. Failed rows are left out and not learned from. Each molecule gets
fingerprints of its own: BoFire 0.5 makes one object for all, which keeps the bits that
differ among the first molecules, and then finds none that differ among the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from orchestrator.benches.peers.protocol import (
    LEAST,
    TARGET,
    Answers,
    Pool,
    Question,
    serve,
)


def start(pool: Pool) -> Answers:
    """Return what answers for one search."""
    import bofire.strategies.api as strategies
    from bofire.data_models.domain.api import Domain, Inputs, Outputs
    from bofire.data_models.features.api import (
        CategoricalInput,
        CategoricalMolecularInput,
        ContinuousInput,
        ContinuousOutput,
    )
    from bofire.data_models.molfeatures.api import Fingerprints
    from bofire.data_models.objectives.api import MaximizeObjective, MinimizeObjective
    from bofire.data_models.strategies.api import SoboStrategy

    rows, inputs = pool.rows.copy(), []
    for p in pool.parameters:
        if p.kind == "real":
            bounds = np.array([p.low, p.high])
            if p.scale == "log":
                rows[p.name], bounds = np.log10(rows[p.name]), np.log10(bounds)
            inputs.append(ContinuousInput(key=p.name, bounds=bounds.tolist()))
        elif p.kind == "choice":
            inputs.append(CategoricalInput(key=p.name, categories=list(p.options)))
        else:
            rows[p.name] = rows[p.name].map(p.options)
            smiles = list(dict.fromkeys(p.options.values()))
            inputs.append(CategoricalMolecularInput(key=p.name, categories=smiles))
    objective = (MinimizeObjective if pool.minimise else MaximizeObjective)(w=1.0)
    outputs = [ContinuousOutput(key=TARGET, objective=objective)]
    domain = Domain(inputs=Inputs(features=inputs), outputs=Outputs(features=outputs))
    spec = SoboStrategy(domain=domain, seed=pool.seed)
    for surrogate in spec.surrogate_specs.surrogates:
        for p in pool.parameters:
            if p.kind == "molecule":
                surrogate.categorical_encodings[p.name] = Fingerprints()
    strategy = strategies.map(spec)

    def answers(question: Question) -> Sequence[int]:
        free = question.free(pool)
        if len(question.observed) < LEAST:
            return question.drawn(pool)
        made = rows.loc[question.observed].assign(**{TARGET: question.values})
        made[f"valid_{TARGET}"] = 1
        strategy.reset_candidates()
        strategy.tell(made.reset_index(drop=True), replace=True)
        chosen: list[int] = []
        for _ in range(question.n):
            if chosen:
                strategy.set_candidates(rows.loc[chosen].reset_index(drop=True))
            left = [row for row in free if row not in chosen]
            gains = pd.Series(np.ravel(strategy.calc_acquisition(rows.loc[left])), left)
            chosen.append(gains.idxmax())
        return chosen

    return answers


if __name__ == "__main__":
    serve(start)
