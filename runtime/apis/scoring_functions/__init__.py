"""Which scoring functions the stack has, and registering more. What one does: `scoring`."""

from __future__ import annotations

from runtime.apis._api import Api
from runtime.apis._resources import Resource

SCORING_FUNCTION = Resource(
    kind="scoring_function",
    served_by="scoring",
    id_field="scoring_fn_id",
    config_key="scoring_fns",
    configured="runtime.apis.scoring_functions.protocol:RegisterScoringFunctionRequest",
    answer="runtime.apis.scoring_functions.protocol:answer",
)
API = Api(
    "scoring_functions",
    "runtime.apis.scoring_functions.protocol:ScoringFunctions",
    resource=SCORING_FUNCTION,
    mounted_with=("scoring",),
)
