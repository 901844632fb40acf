"""Which datasets the stack has, and registering more. Reading and appending rows: `datasetio`."""

from __future__ import annotations

from runtime.apis._api import Api
from runtime.apis._resources import Resource

DATASET = Resource(
    kind="dataset",
    served_by="datasetio",
    id_field="dataset_id",
    config_key="datasets",
    configured="runtime.apis.datasets.protocol:ConfiguredDataset",
    answer="runtime.apis.datasets.protocol:answer",
    is_kept_by_owner=True,
)
API = Api("datasets", "runtime.apis.datasets.protocol:Datasets", resource=DATASET, mounted_with=("datasetio",))
