"""Which providers a replay does without: something else answers in their place, so that neither they nor their packages
need be there.
"""

from __future__ import annotations

from runtime.apis._api import Api
from runtime.spec import Spec


def is_replaced(spec: Spec, api: Api) -> bool:
    """Whether something stands in for a provider of an API in a replay: for each one of an API that says what does, and
    for one that computes in this process with packages of its own where calls are recorded.
    """
    if ":" in api.in_replay:
        return True
    return api.in_replay == "calls" and spec.kind == "inline" and bool(spec.packages or spec.package)
