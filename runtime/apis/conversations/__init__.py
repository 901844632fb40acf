"""Conversations: items in an order that does not change, which responses continue and add to.

https://platform.openai.com/docs/api-reference/conversations. Their items are those of responses, and stay plain dicts.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "conversations",
    "runtime.apis.conversations.protocol:Conversations",
    mounted_with=("responses",),
    stores=(Store(name="conversations", families=("sql",), part="conversations", kinds=("conversations",)),),
)
