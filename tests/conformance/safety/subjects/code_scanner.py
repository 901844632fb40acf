"""The code scanner, with Bandit in its own processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.safety.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind

INSECURE = "\n```python\nimport os\n\nos.system(input())\n```\n"


@asynccontextmanager
async def bandit(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    run = run_config(
        providers={"safety": [{"provider_id": "scanner", "provider_type": "inline::code-scanner"}]},
        registered_resources={"shields": [{"shield_id": "code"}]},
    )
    async with serving(run, folder) as served:
        yield Subject(client=served.client, shield="code", harmful=INSECURE, harmless="A nice day")


SUBJECTS = {"bandit": Kind(make=bandit, abilities=frozenset({"long_texts"}))}
