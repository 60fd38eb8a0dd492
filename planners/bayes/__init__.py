"""The BoTorch planner; the only place where torch is imported."""
