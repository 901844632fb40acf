"""`specs RUN_YAML`: what the external packages of a run config bring, as only this interpreter can say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from runtime.config.loading import read_tree
from runtime.config.text import read_text
from runtime.external.installed import installed_world
from runtime.external.remembered import document


def external_specs(run_yaml: Path) -> dict[str, Any]:
    """As `runtime.external.remembered` keeps it. Whether the run config is valid is not asked. Raises NotFound and
    ConfigInvalid for what is no run config.
    """
    reading = read_tree(
        read_text(run_yaml, what="run config"),
        file=str(run_yaml),
        env=os.environ,
        to_build=True,
        folder=run_yaml.absolute().parent,
        find_world=installed_world,
    )
    return document(reading.world)
