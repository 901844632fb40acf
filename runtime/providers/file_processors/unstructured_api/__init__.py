"""Unstructured's Partition API, hosted or your own. https://docs.unstructured.io/api-reference/partition/overview
(read November 2026)
"""

from runtime.providers.file_processors._inline.spec import CHUNKING_PACKAGES
from runtime.spec import remote, wire

SPEC = remote(
    "unstructured-api",
    summary="Elements of a document by Unstructured's Partition API",
    adapter=".adapter:UnstructuredFileProcessor",
    config=".config:UnstructuredApiConfig",
    packages=CHUNKING_PACKAGES,
    may_use=("files",),
    enabled_by="UNSTRUCTURED_API_KEY",
    key_env="UNSTRUCTURED_API_KEY",
    sample_config={
        "base_url": "${env.UNSTRUCTURED_API_URL:=https://api.unstructuredapp.io}",
        "api_key": "${env.UNSTRUCTURED_API_KEY:=}",
    },
    evidence=wire("a local server that checks the documented request and answers with documented elements"),
)
