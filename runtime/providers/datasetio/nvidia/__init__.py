"""Datasets of NVIDIA's NeMo: its entity store knows them, for customization and evaluation; its data store has their
files. https://docs.nvidia.com/nemo/microservices/latest/manage-entities/datasets (read November 2026)
"""

from runtime.spec import remote, wire

SPEC = remote(
    "nvidia",
    summary="Datasets of NVIDIA NeMo, in services of yours: known to the entity store, read from the data store",
    adapter=".adapter:NvidiaDatasets",
    config=".config:NvidiaDatasetsConfig",
    enabled_by="NVIDIA_DATASETS_URL",
    sample_config={
        "api_key": "${env.NVIDIA_API_KEY:=}",
        "dataset_namespace": "${env.NVIDIA_DATASET_NAMESPACE:=default}",
        "project_id": "${env.NVIDIA_PROJECT_ID:=}",
        "datasets_url": "${env.NVIDIA_DATASETS_URL:=http://nemo.test}",
        "datastore_url": "${env.NVIDIA_DATASTORE_URL:=}",
    },
    evidence=wire("a local server that checks the documented requests and answers in the documented form"),
)
