"""Rows of datasets: read page by page, and appended."""

from __future__ import annotations

from runtime.apis._api import Api

API = Api("datasetio", "runtime.apis.datasetio.protocol:DatasetIO")
