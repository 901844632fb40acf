"""Containers: places apart where code runs, bounded, with files of their own.

https://platform.openai.com/docs/api-reference/containers.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "containers",
    "runtime.apis.containers.protocol:Containers",
    offered_with=("inference",),
    stores=(Store(name="containers", families=("sql",), kinds=("containers",)),),
)
