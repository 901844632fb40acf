"""Evaluates models and agents: asks them the rows of a benchmark, and scores what they answer."""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "eval",
    "runtime.apis.eval.protocol:Eval",
    offered_with=("inference", "datasetio", "scoring"),
    stores=(Store(name="eval", families=("sql",), part="eval", kinds=("evaluations",)),),
)
