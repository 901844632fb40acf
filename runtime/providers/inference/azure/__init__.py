"""Deployments of Azure OpenAI. https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle

A model's name here is the name of its deployment. Azure lists the models that one could deploy, not the deployments, so
`allowed_models` names them.
"""

from runtime.providers.inference._openai_compatible.rules import METADATA_IF_KEPT
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "azure",
    summary="Deployments of Azure OpenAI",
    adapter=".adapter:AzureInference",
    config=".config:AzureConfig",
    base_url_env="AZURE_API_BASE",
    api_key_env="AZURE_API_KEY",
    more_env={"api_version": "AZURE_API_VERSION", "api_type": "AZURE_API_TYPE"},
    enabled_by="AZURE_API_BASE",
    key_required=True,
    version_path="",
    lists_models=False,
    chat=Chat(rules=(METADATA_IF_KEPT,), custom_tools=True, developers=True),
    evidence=wire(
        "a local server with both of Azure's forms of address, its keys, and servers of Azure's that give tokens"
    ),
)
