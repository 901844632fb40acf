"""Batches whose lines are answered by the APIs of their own stack."""

from __future__ import annotations

from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import Inference
from runtime.apis.responses import API as RESPONSES
from runtime.apis.responses.protocol import Responses
from runtime.apis.safety import API as SAFETY
from runtime.apis.safety.protocol import Safety
from runtime.provider import ProviderContext
from runtime.providers.batches._shared.answering import AnsweringHere
from runtime.providers.batches._shared.batches import KeptBatches
from runtime.providers.batches._shared.config import BatchesConfig
from runtime.providers.batches._shared.endpoints import Endpoints


class BuiltinBatches(KeptBatches):
    """Each method raises Unavailable where what is kept cannot be reached."""

    def __init__(self, config: BatchesConfig, context: ProviderContext) -> None:
        served = {
            INFERENCE: context.api(Inference),  # type: ignore[type-abstract]
            RESPONSES: context.optional_api(Responses),  # type: ignore[type-abstract]
            SAFETY: context.optional_api(Safety),  # type: ignore[type-abstract]
        }
        super().__init__(config, context, endpoints=Endpoints(served), answering=AnsweringHere())
