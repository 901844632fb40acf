"""Settings of OCI Generative AI, named as in llama-stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from runtime.apis._names import ServerAddress
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.unset import none_for_empty

_INFERENCE = "https://inference.generativeai.{}.oci.oraclecloud.com"


def _default_for_empty(default: Any) -> BeforeValidator:
    return BeforeValidator(lambda given: default if given == "" else given)


def _kind(given: Any) -> Any:
    """Also as Oracle's own programs write it: `INSTANCE_PRINCIPAL`, `instance-principal`, `security_token`."""
    if not isinstance(given, str):
        return given
    word = given.strip().lower().replace("-", "_") or "instance_principal"
    return "config_file" if word in ("api_key", "user_principal", "security_token", "session") else word


class OciConfig(OpenAICompatibleConfig):
    base_url: Annotated[ServerAddress | None, BeforeValidator(none_for_empty)] = Field(
        None, description="The address of the service, such as that of another realm; by default that of the region."
    )
    oci_auth_type: Annotated[
        Literal["instance_principal", "config_file", "resource_principal"], BeforeValidator(_kind)
    ] = Field(
        "instance_principal",
        description="Who signs requests: the machine of Oracle's that this runs on, which is the default; the profile"
        " of a `config_file`, also one of a session; or the resource that this runs as, such as a function. With"
        " `api_key` nobody does.",
    )
    oci_region: Annotated[str, _default_for_empty("us-ashburn-1")] = Field(
        "us-ashburn-1",
        pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$",
        description="The region. The default is `us-ashburn-1`.",
    )
    oci_compartment_id: str = Field(
        "",
        description="The OCID of the compartment that is charged. A caller may name another as `oci_compartment_id` in"
        " `X-LlamaStack-Provider-Data`.",
    )
    oci_config_file_path: Annotated[Path, _default_for_empty("~/.oci/config")] = Field(
        Path("~/.oci/config"), description="The file of `oci setup config`. The default is `~/.oci/config`."
    )
    oci_config_profile: Annotated[str, _default_for_empty("DEFAULT")] = Field(
        "DEFAULT", description="The profile in that file. The default is `DEFAULT`."
    )

    @model_validator(mode="after")
    def _address(self) -> Self:
        if self.base_url is None:
            self.base_url = _INFERENCE.format(self.oci_region)
        return self
