"""Bayesian optimisation with BoTorch. The only part of the planners that needs torch."""
