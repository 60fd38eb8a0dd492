"""Ax 1.3: the model and acquisition of its default strategy, scored over the pool.

Default taken: `Client` with `configure_experiment` and `configure_optimization`; the
node "MBM" of the strategy that `choose_generation_strategy` returns for the method
"fast", which is the default: BoTorch's defaults by Ax's own choice (modular BoTorch
generator, qLogNEI, its transforms). Documented on the pages "Ask-tell optimization" and
"Generation strategies", and in `ax/api/utils/generation_strategy_dispatch.py`.

Numbers are `RangeParameterConfig` with their scale, choices `ChoiceParameterConfig`; Ax
knows no molecules, so they are choices as well.

Decided by us: a `Client` cannot be held to a list of rows, so the fitted adapter's
`evaluate_acquisition_function`, Ax's call for given points, scores the rows not yet
made; a batch is taken one by one, those before being pending observations. Of the
strategy's initialisation (centre, Sobol, five trials) the initial rows of the search
take the place; before two observations a random row is drawn. Failed rows are left out
and not learned from.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

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
    from ax.api.client import Client
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
    from ax.api.utils.generation_strategy_dispatch import choose_generation_strategy
    from ax.api.utils.structs import GenerationStrategyDispatchStruct
    from ax.core.observation import ObservationFeatures
    from ax.utils.common.random import with_rng_seed

    logging.getLogger("ax").setLevel(logging.WARNING)
    client = Client(random_seed=pool.seed)
    parameters = [
        RangeParameterConfig(
            name=p.name,
            bounds=(p.low, p.high),
            parameter_type="float",
            scaling="log" if p.scale == "log" else None,
        )
        if p.kind == "real"
        else ChoiceParameterConfig(
            name=p.name,
            values=list(p.options),
            parameter_type="str",
            is_ordered=p.ordered,
        )
        for p in pool.parameters
    ]
    client.configure_experiment(parameters)
    client.configure_optimization(f"-{TARGET}" if pool.minimise else TARGET)
    struct = GenerationStrategyDispatchStruct(method="fast")
    nodes = choose_generation_strategy(struct).nodes_by_name
    spec = nodes["MBM"].generator_specs[0]
    experiment = client._experiment  # noqa: SLF001 the adapter takes no Client
    rows = [
        {str(name): value for name, value in row.items()}
        for row in pool.rows.to_dict("records")
    ]
    points = [ObservationFeatures(parameters=row) for row in rows]
    told: set[int] = set()

    def answers(question: Question) -> Sequence[int]:
        for row, value in zip(question.observed, question.values, strict=True):
            if row not in told:
                trial = client.attach_trial(rows[row])
                client.complete_trial(trial, {TARGET: value})
        told.update(question.told)
        free = question.free(pool)
        if len(question.observed) < LEAST:
            return question.drawn(pool)
        chosen: list[int] = []
        with with_rng_seed(pool.seed):
            spec.fit(experiment, experiment.lookup_data())
            for _ in range(question.n):
                left = [row for row in free if row not in chosen]
                gains = spec.fitted_adapter.evaluate_acquisition_function(
                    [points[row] for row in left],
                    pending_observations={TARGET: [points[row] for row in chosen]},
                )
                chosen.append(left[int(np.argmax(gains))])
        return chosen

    return answers


if __name__ == "__main__":
    serve(start)
