"""Runs `llama` as a process of its own with `contract_server.py` in place of the runtime: what `build` would make
stands there already.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from runtime.config.home import distribution_dir

RUN_YAML = """\
version: 2
distro_name: starter
providers:
  inference:
  - provider_id: ${env.OPENAI_API_KEY:+openai}
    provider_type: remote::openai
  - provider_id: ${env.VLLM_URL:+vllm}
    provider_type: remote::vllm
"""


def ensure_built(target: str, **choices: Any) -> Any:
    """In place of `llama_cli.distribution.build.ensure_built`: the interpreter is a script that starts our server."""
    name = Path(target).stem
    folder = distribution_dir(name)
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "python"
    server = Path(__file__).with_name("contract_server.py")
    # Called as `python -I -m runtime.server ...`.
    python.write_text(f'#!/bin/sh\nshift 3\nexec "{sys.executable}" "{server}" "$@"\n')
    python.chmod(0o755)
    (folder / "run.yaml").write_text(RUN_YAML)
    return SimpleNamespace(
        name=name, folder=folder, run_yaml=folder / "run.yaml", python=python, state_dir=folder / "state"
    )


if __name__ == "__main__":
    assert os.environ["LLAMA_HOME"]
    build = ModuleType("llama_cli.distribution.build")
    build.ensure_built = ensure_built  # type: ignore[attr-defined]
    sys.modules["llama_cli.distribution.build"] = build
    from llama_cli.main import main

    main()
