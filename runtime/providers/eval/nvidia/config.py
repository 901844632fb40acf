"""Settings of NeMo Evaluator."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from runtime.apis._names import ServerAddress


class NvidiaEvalConfig(BaseModel):
    """Where the evaluator is, and where it keeps what is registered."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    evaluator_url: ServerAddress = Field(
        "http://localhost:7331", description="The address of the evaluator, whose jobs are at `/v1/evaluation/jobs`."
    )
    api_key: SecretStr | None = Field(None, description="The key that it is sent. By default none.")
    namespace: str = Field(
        "nvidia",
        min_length=1,
        description="The namespace of the configs that are registered, and of the jobs. The default is `nvidia`.",
    )
    project_id: str | None = Field(None, description="The project that they belong to. By default none.")
