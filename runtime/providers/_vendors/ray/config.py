"""Where the cluster is, and what its workers do."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from runtime.apis._names import ServerAddress

_OF_A_CLUSTER = re.compile(r"ray://([^/\s:@\[\]]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?")
_NOT_HERE = {
    "CPU": "is set by `cpus_per_worker`",
    "memory": "is not set aside for a worker, which needs little",
    "object_store_memory": "is not set aside for a worker, which needs none",
}


def _of_a_cluster(given: str) -> str:
    found = _OF_A_CLUSTER.fullmatch(given)
    if found is None or not 0 < int(found[2] or 1) < 2**16:
        raise ValueError(
            "must be like `ray://HOST:10001`: the port of the cluster's head for Ray's clients, which is neither that "
            "of its store (6379) nor that of its dashboard (8265)",
        )
    return given


def _resource(name: str) -> str:
    if (why := _NOT_HERE.get(name)) is not None:
        raise ValueError(f"`{name}` {why}")
    return name


def _not_set(given: object) -> object:
    if given is not None:
        raise ValueError("must not be set: the workers reach `base_url` as their machines do")
    return given


ClusterAddress = Annotated[str, Field(max_length=4096), AfterValidator(_of_a_cluster)]
ResourceName = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_resource)]
NotSet = Annotated[None, BeforeValidator(_not_set)]
Amount = Annotated[float, Field(gt=0, le=1_000_000)]


class RayConfig(BaseModel):
    """An existing cluster, and the server that its workers ask.

    The clients of a cluster need its version of Ray, and of Python up to the minor. Ray's own variables, such as those
    of TLS, are read as by any of its clients.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    address: ClusterAddress = Field(
        description="The cluster, as `ray://HOST:10001`: its head, at the port for Ray's clients."
    )
    auth_token: SecretStr | None = Field(
        None,
        description="The token of a cluster that wants one. By default what Ray's variables `RAY_AUTH_MODE` and "
        "`RAY_AUTH_TOKEN` say.",
    )
    base_url: ServerAddress = Field(
        description="The server that the workers ask, as they reach it: an address on each machine, such as "
        "`http://127.0.0.1:8321`, or one for all. It has the paths of this stack and its names of models."
    )
    api_key: SecretStr | None = Field(
        None,
        description="The key for that server. It is sent to the workers; no other key of the run config is, and none "
        "of a caller.",
    )
    workers: int = Field(2, ge=1, le=1000, description="How many workers there are, spread over the machines.")
    cpus_per_worker: float = Field(
        1.0, ge=0, le=1000, description="How many of a machine's CPUs Ray sets aside for a worker, or what part of one."
    )
    resources_per_worker: dict[ResourceName, Amount] = Field(
        default_factory=dict,
        max_length=64,
        description="What else it sets aside, such as `{GPU: 1}` or a resource of yours: workers are where that is.",
    )
    start_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="How long the cluster may take to start a first worker, in seconds."
    )
    max_wait_s: float = Field(
        24 * 3600.0,
        gt=0,
        le=30 * 24 * 3600,
        description="How long work waits for the cluster before it fails, in seconds: while that cannot be reached, or"
        " has no worker. The default is a day.",
    )
    request_timeout_s: float = Field(
        600.0, gt=0, le=24 * 3600, description="How long the server may say nothing to a worker, in seconds."
    )
    idle_timeout_s: float = Field(
        300.0, gt=0, le=24 * 3600, description="How long the workers are kept after the last line, in seconds."
    )
    network: NotSet = Field(None, description="Not to be set: the workers reach `base_url` as their machines do.")
