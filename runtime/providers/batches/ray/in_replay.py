"""The same without a cluster, for replays: the lines are asked of this stack, whose models answer what was recorded."""

from __future__ import annotations

from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import Inference
from runtime.provider import ProviderContext
from runtime.providers.batches._shared.answering import AnsweringHere
from runtime.providers.batches._shared.batches import KeptBatches
from runtime.providers.batches._shared.config import BatchesConfig
from runtime.providers.batches._shared.endpoints import Endpoints


class BatchesHere(KeptBatches):
    def __init__(self, config: BatchesConfig, context: ProviderContext) -> None:
        served = {INFERENCE: context.api(Inference)}  # type: ignore[type-abstract]
        super().__init__(config, context, endpoints=Endpoints(served), answering=AnsweringHere())
