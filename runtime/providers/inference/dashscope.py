"""Alibaba Cloud Model Studio (DashScope): Qwen models.
https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope
"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT, ignored
from runtime.providers.inference._openai_compatible.spec import Chat, Rerank, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "dashscope",
    summary="Qwen models at Alibaba Cloud Model Studio",
    base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    api_key_env="DASHSCOPE_API_KEY",
    lists_models=False,
    chat=Chat(rules=(ONE_LIMIT, *ignored("frequency_penalty", why="has no frequency penalty", unless=(0,)))),
    completions=None,
    rerank=Rerank(
        path="../../compatible-api/v1/reranks",
        rules=ignored("max_tokens_per_doc", why="has no limit for a document"),
    ),
    evidence=wire("a local server that answers as Alibaba Cloud's documentation says"),
)
