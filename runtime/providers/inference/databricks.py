"""Databricks model serving; a model is a serving endpoint.
https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT, ignored
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "databricks",
    summary="Models served in a Databricks workspace",
    base_url_env="DATABRICKS_HOST",
    api_key_env="DATABRICKS_TOKEN",
    enabled_by="DATABRICKS_TOKEN",
    key_required=True,
    version_path="/serving-endpoints",
    models_path="../api/2.0/serving-endpoints",
    chat=Chat(
        rules=(
            ONE_LIMIT,
            *ignored("stream_options", why="counts the tokens of a stream where the endpoint does so unasked"),
        ),
        content_parts=True,
        usage="always",
    ),
    completions=None,
    evidence=wire("a local server that refuses what endpoints are documented to refuse"),
)
