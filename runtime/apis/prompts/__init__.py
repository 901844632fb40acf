"""Prompts: texts with variables, kept in versions, that a request can name instead of sending them.

llama-stack's API, with pages beside the `data` of its lists. The versions of a prompt count from 1 and never change;
one of them is the default, which is meant where none is named. Variables stand in the text as `{{ name }}`.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "prompts",
    "runtime.apis.prompts.protocol:Prompts",
    offered_with=("inference",),
    mounted_with=("responses",),
    stores=(Store(name="prompts", families=("sql",), kinds=("prompts",), ages=False),),
)
