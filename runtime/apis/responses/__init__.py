"""Responses: answers of a model that uses tools on its way, kept and continued.

https://platform.openai.com/docs/api-reference/responses and https://www.openresponses.org. Items stay plain dicts. Both
let what is asked come as a form too.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "responses",
    "runtime.apis.responses.protocol:Responses",
    mounted_with=("agents",),  # llama-stack 0.3 has responses in the API of that name
    offered_with=("inference",),
    stores=(Store(name="responses", families=("sql",), part="responses", kinds=("responses",)),),
)
