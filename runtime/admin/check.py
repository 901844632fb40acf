"""`check RUN_YAML`: import every configured adapter, so that a missing package is found by the build and not by the
first request.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from runtime import discovery
from runtime.external.importing import importing
from runtime.stack.in_replay import is_recorded_by_calls, stand_in_of
from runtime.stack.plan import plan, read_run_config
from runtime.stdio import one_line


def check_adapters(run_yaml: Path, *, for_replay: bool = False) -> list[dict[str, Any]]:
    """Every adapter that cannot be imported: provider id, type, the external package that brings it, empty for one of
    ours, and error. for_replay: of those that a replay has. Raises ConfigInvalid for a run config that cannot be
    planned.
    """
    failures = []
    run = read_run_config(run_yaml, os.environ, to_build=True)
    whole = plan(run, file=str(run_yaml))
    for planned in whole.providers:
        spec, api = planned.spec, whole.world.load_api(planned.api)
        if for_replay and is_recorded_by_calls(spec, api):
            continue
        stand_in = stand_in_of(spec, api) if for_replay else None
        try:
            with importing(spec.package) if spec.package else nullcontext():
                discovery.load(stand_in.adapter if stand_in else spec.adapter, package=spec.module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            words = one_line(f"{type(error).__name__}: {error}")
            failures.append(
                {
                    "provider_id": planned.provider_id,
                    "provider_type": planned.spec.provider_type,
                    "package": planned.spec.package,
                    "error": words,
                }
            )
    return failures
