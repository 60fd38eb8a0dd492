"""The files of the PEDOT:PSS campaign, copied, to be edited and read again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign

CONFIGS = Path(__file__).parents[2] / "lab_configs"
NAMES = {
    "lab.yaml": "sim_bench/lab.yaml",
    "campaign.yaml": "pedot_pss/campaign.yaml",
    "recipe.yaml": "pedot_pss/recipe.yaml",
}


@dataclass(frozen=True, slots=True)
class LabFiles:
    """A copy of the three files; the bench's own is there and empty."""

    directory: Path

    @classmethod
    def copied(cls, directory: Path) -> LabFiles:
        for name in NAMES.values():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CONFIGS / name, target)
        (directory / "sim_bench" / "bench.yaml").touch()
        return cls(directory)

    def path(self, name: str) -> Path:
        return self.directory / NAMES[name]

    def text(self, name: str) -> str:
        return self.path(name).read_text(encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the first ``old``; it must be there."""
        text = self.text(name)
        assert old in text, f"{name} no longer says {old}"
        self.path(name).write_text(text.replace(old, new, 1), encoding="utf-8")

    def line(self, name: str, part: str) -> int:
        """Return the number of the first line that says ``part``."""
        lines = self.text(name).splitlines()
        return next(n for n, text in enumerate(lines, start=1) if part in text)

    def load(self) -> Campaign:
        return load_campaign(self.path("campaign.yaml"))
