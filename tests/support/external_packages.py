"""Packages with providers, generated: as wheels for a distribution, or as what an installer has made of them.

`meadow_fly` brings `remote::firefly` of inference, whose adapter imports `meadow_worm`, which only its spec asks for;
`meadow_lamp` brings an API. No package index has packages of these names. Knows the formats of wheels and of installed
packages; needs no build backend and no network.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

FIREFLY = {
    "meadow_fly/__init__.py": "",
    "meadow_fly/provider.py": """\
from runtime.spec import remote

def get_provider_spec():
    return remote(
        "firefly",
        api="inference",
        summary="Glows",
        adapter=".adapter:Firefly",
        config=".config:FireflyConfig",
        packages=("meadow_worm==1.0",),
    )
""",
    "meadow_fly/config.py": """\
from pydantic import BaseModel, SecretStr

class FireflyConfig(BaseModel, extra="forbid"):
    colour: str = "green"
    api_key: SecretStr | None = None
""",
    "meadow_fly/adapter.py": """\
import meadow_worm
from runtime.provider import ListedModel

class Firefly:
    def __init__(self, config, context):
        self.config = config

    async def list_models(self):
        return [ListedModel(provider_model_id=f"{meadow_worm.LIGHT}-{self.config.colour}", model_type="llm")]
""",
}
GLOWWORM = {"meadow_worm.py": "LIGHT = 'spark'\n"}
LANTERNS = {
    "meadow_lamp/__init__.py": """\
from typing import Protocol
from runtime.apis._api import Api, route
from runtime.apis._request import Request, Response

class LightRequest(Request):
    oil: int = 1

class Light(Response):
    hours: int

class Lanterns(Protocol):
    @route("POST", "/v1/lanterns")
    async def light(self, request: LightRequest) -> Light: ...

API = Api("lanterns", Lanterns)
""",
    "meadow_lamp/brass.py": """\
from meadow_lamp import Light
from runtime.spec import inline

SPEC = inline("brass", summary="Burns oil", adapter="meadow_lamp.brass:Brass")

class Brass:
    def __init__(self, config, context):
        pass

    async def light(self, request):
        return Light(hours=3 * request.oil)
""",
}


def metadata_of(
    name: str, version: str = "1.0", *, entry_points: str = "", group: str = "llama_stack.providers"
) -> dict[str, str]:
    """The files of `<name>.dist-info`. entry_points: what the package says in the group that we ask."""
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        files[f"{folder}/entry_points.txt"] = f"[{group}]\n{entry_points}\n"
    return files


def wheel(folder: Path, name: str, files: Mapping[str, str], *, version: str = "1.0", entry_points: str = "") -> Path:
    """The package as a wheel in a folder, for uv to find there."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    made = folder / f"{stem}-py3-none-any.whl"
    content = {**files, **metadata_of(name, version, entry_points=entry_points)}
    record = f"{stem}.dist-info/RECORD"
    lines = "".join(f"{path},,\n" for path in [*content, record])
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in {**content, record: lines}.items():
            archive.writestr(path, text)
    return made


def install(folder: Path, name: str, files: Mapping[str, str], **said: str) -> None:
    """The package as it lies in a folder for modules. said: as `metadata_of` has it."""
    for path, text in {**files, **metadata_of(name, **said)}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
