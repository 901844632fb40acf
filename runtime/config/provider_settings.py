"""The model of a provider's settings: what its `config` in a run config is checked by. Imports no adapter."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from runtime import discovery
from runtime.spec import Spec


class NoConfig(BaseModel):
    """The config of a provider that has nothing to configure."""

    model_config = ConfigDict(extra="forbid")


class AnyConfig(BaseModel):
    """The config of a provider whose model is not here: it is checked where its package is installed."""

    model_config = ConfigDict(extra="allow")


def config_model(spec: Spec) -> type[BaseModel]:
    """The config model of a provider. Imports the model, but not the adapter."""
    if spec.config is None:
        return NoConfig
    model: type[BaseModel] = discovery.load(spec.config, package=spec.module)
    return model
