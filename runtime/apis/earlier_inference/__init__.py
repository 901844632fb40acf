"""Inference as llama-stack before 0.3 had it: `/v1/inference/...`, with its own messages, sampling and events.

Another door to `inference`: the models, providers and keys are the same. New programs use `/v1/chat/completions`.
"""

from __future__ import annotations

from runtime.apis._api import Api

API = Api("earlier_inference", "runtime.apis.earlier_inference.protocol:EarlierInference", mounted_with=("inference",))
