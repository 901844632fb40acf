"""Where the cluster is, what its workers do, and how batches are done."""

from __future__ import annotations

from runtime.providers._vendors.ray.config import RayConfig
from runtime.providers.batches._shared.config import BatchesConfig


class RayBatchesConfig(BatchesConfig, RayConfig):
    """An existing cluster, the server that its workers ask, and how many requests are asked at once.

    The clients of a cluster need its version of Ray, and of Python up to the minor. Ray's own variables, such as those
    of TLS, are read as by any of its clients.
    """
