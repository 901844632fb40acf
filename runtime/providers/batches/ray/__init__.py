"""Batches whose lines are asked by the machines of a Ray cluster. https://docs.ray.io/en/latest/cluster"""

from runtime.spec import StandIn, live, remote

SPEC = remote(
    "ray",
    summary="Batches whose requests are sent by workers on an existing Ray cluster, each to a server beside it",
    adapter=".adapter:RayBatches",
    over_http=False,
    in_replay=StandIn(".in_replay:BatchesHere"),
    config=".config:RayBatchesConfig",
    packages=(
        "ray[client]>=2.40",
    ),  # the cluster's own version, which a run config may state: older ones differ little
    needs=("inference", "files", "models"),
    enabled_by="RAY_ADDRESS",
    sample_config={
        "address": "${env.RAY_ADDRESS:=}",
        "auth_token": "${env.RAY_AUTH_TOKEN:=}",
        "base_url": "${env.RAY_BATCHES_BASE_URL:=http://127.0.0.1:8321}",
        "api_key": "${env.RAY_BATCHES_API_KEY:=}",
    },
    evidence=live("a Ray cluster of one machine with a token, whose workers, connection and server are killed"),
)
