"""The bodies of errors of vendors that do not have OpenAI's."""

from __future__ import annotations

from typing import Any

from runtime.conformance.upstream.wire import Refused, openai_error


def numbered(refused: Refused) -> Any:
    """OpenAI's shape with HTTP's status as its code: vLLM, llama.cpp."""
    body = openai_error(refused)
    body["error"]["code"] = refused.status
    return body


def flat(refused: Refused) -> Any:
    """SGLang."""
    facts = {"message": refused.message, "type": refused.type, "param": refused.param, "code": refused.status}
    return {"object": "error", **facts}


def text(refused: Refused) -> Any:
    """LM Studio, Hugging Face's router."""
    return {"error": refused.message}


def text_and_type(refused: Refused) -> Any:
    """Text Generation Inference."""
    return {"error": refused.message, "error_type": "validation"}


def message_and_code(refused: Refused) -> Any:
    """Text Embeddings Inference."""
    return {"message": refused.message, "code": refused.status, "type": "Validation"}


def message_and_id(refused: Refused) -> Any:
    """Cohere."""
    return {"message": refused.message, "id": "6f7b7c9e"}


def detail(refused: Refused) -> Any:
    """Voyage, Jina."""
    return {"detail": refused.message}


def details(refused: Refused) -> Any:
    """DeepInfra."""
    return {"detail": [{"loc": ["body", refused.param], "msg": refused.message, "type": "value_error"}]}


def error_code(refused: Refused) -> Any:
    """Databricks."""
    return {"error_code": "BAD_REQUEST", "message": refused.message}
