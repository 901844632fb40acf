"""Settings of NeMo's datasets."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from runtime.apis._names import ServerAddress

MB = 1024**2


class NvidiaDatasetsConfig(BaseModel):
    """Where the entity store and the data store are, and how datasets are kept there."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    datasets_url: ServerAddress = Field(
        "http://nemo.test", description="The address of the entity store, whose datasets are at `/v1/datasets`."
    )
    datastore_url: ServerAddress | None = Field(
        None,
        description="The address of the data store, whose files are read at `/v1/hf`. By default none: then rows are"
        " read by NeMo's own services alone.",
    )
    api_key: SecretStr | None = Field(None, description="The key that both stores are sent. By default none.")
    dataset_namespace: str = Field(
        "default", min_length=1, description="The namespace in which datasets are registered. The default is `default`."
    )
    project_id: str | None = Field(None, description="The project that they belong to. By default none.")
    max_page_bytes: int = Field(
        16 * MB,
        ge=1024,
        le=1024 * MB,
        description="About the most bytes of the rows that are read at once; `has_more` says that others follow. The"
        " default is 16 MiB.",
    )
