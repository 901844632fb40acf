"""Scores answers: how good each row of an evaluation is, by functions that are registered."""

from __future__ import annotations

from runtime.apis._api import Api

API = Api("scoring", "runtime.apis.scoring.protocol:Scoring")
