"""Makes up rows of data: of a schema, of rows that there are, or of a dialog; kept where they are good and differ."""

from __future__ import annotations

from runtime.apis._api import Api

API = Api(
    "synthetic_data_generation",
    "runtime.apis.synthetic_data_generation.protocol:SyntheticDataGeneration",
    offered_with=("inference",),
)
