"""Which versions of what decides are installed: a proposal depends on them."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "polyloop", "botorch", "gpytorch", "linear_operator", "torch", "numpy", "scipy",
    "rdkit",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the version of Python and of each package that decides; none is imported."""
    return {"python": platform.python_version(), **{one: _of(one) for one in PACKAGES}}


def _of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
