"""Runs `llama` as a process of its own with `contract_server.py` in place of the runtime: what `build` would make
stands there already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from llama_cli.exits import Failure
from runtime.config.home import distribution_dir, private_folder

RUN_YAML = """\
version: 2
distro_name: starter
providers:
  inference:
  - provider_id: llama
    provider_type: inline::meta-reference
  - provider_id: ${env.OPENAI_API_KEY:+openai}
    provider_type: remote::openai
  - provider_id: ${env.VLLM_URL:+vllm}
    provider_type: remote::vllm
"""


def locate(choice: Any, environment: Mapping[str, str]) -> Any:
    """In place of `llama_cli.packages.source.locate`: a file is a run.yaml of the distribution it is named after."""
    folder = distribution_dir(Path(choice.target).stem)
    return SimpleNamespace(name=folder.name, folder=folder, run_yaml=folder / "run.yaml", state_dir=folder / "state")


def build(source: Any, *_: Any, **__: Any) -> Any:
    """In place of `llama_cli.packages.build.build`: the interpreter is a script that starts our server."""
    folder = source.folder
    if os.environ.get("FAKE_BUILD") == "fails":
        raise Failure("could not choose package versions")
    private_folder(folder)
    python = folder / "python"
    server = Path(__file__).with_name("contract_server.py")
    # Called as `python -I -m runtime.server ...`.
    python.write_text(f'#!/bin/sh\nshift 3\nexec "{sys.executable}" "{server}" "$@"\n')
    python.chmod(0o755)
    (folder / "run.yaml").write_text(RUN_YAML)
    (folder / "built").open("a").write("once\n")
    return SimpleNamespace(python=python)


if __name__ == "__main__":
    assert os.environ["LLAMA_HOME"]
    building: Any = ModuleType("llama_cli.packages.build")
    building.build = build
    naming: Any = ModuleType("llama_cli.packages.source")
    naming.Choice, naming.locate = SimpleNamespace, locate
    sys.modules |= {building.__name__: building, naming.__name__: naming}
    from llama_cli.main import main
    from llama_cli.servers import prepare

    # In this process, where what stands in for the builder is known.
    prepare.prepare = prepare.prepare_here

    main()
