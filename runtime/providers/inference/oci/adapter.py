"""OCI Generative AI: who is charged, and where its endpoints are.

https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai-inference/20231130/ and
https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai/20231130/ModelCollection/ListModels (read November 2026)
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from runtime.apis.inference.protocol import EmbeddingsRequest
from runtime.apis.providers.protocol import ProviderHealth
from runtime.concurrently import concurrently
from runtime.context import current
from runtime.errors import RequestError, Unavailable
from runtime.http.auth import Auth, Bearer
from runtime.http.transport import Outgoing
from runtime.provider import ListedModel, ProviderContext, healthy
from runtime.providers._vendors.oci.identity import OciSignature
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.model_list import ListEntry
from runtime.providers.inference._vectors import batches_of
from runtime.providers.inference.oci import forms
from runtime.providers.inference.oci.config import OciConfig
from runtime.sse import Json, Reply

_VERSION = "/20231130"
_TEXTS_AT_ONCE, _CALLS_AT_ONCE = 96, 4
"""A request takes 96 texts: https://docs.oracle.com/en-us/iaas/Content/generative-ai/embed-models.htm"""
_COMPARTMENT = "set `oci_compartment_id` in its config (`OCI_COMPARTMENT_OCID`)"
_ONLY_HERE = ("oci_auth_type", "oci_region", "oci_config_file_path", "oci_config_profile")
"""What llama-stack lets callers say: they would sign as whoever has a key on this machine."""


class OciInference(OpenAICompatibleInference):
    """Chat, embeddings and reranking at OCI. Raises as `OpenAICompatibleInference` does, and RequestError where nothing
    says which compartment is charged, or a caller would choose with whose key is signed.
    """

    def __init__(self, config: OciConfig, context: ProviderContext) -> None:
        self._settings = config
        self._keys = context.keys
        self._signs = context.keys.configured() is None
        super().__init__(config, context)

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        assert isinstance(config, OciConfig)
        signature = OciSignature(
            config.oci_auth_type,
            context.http,
            provider_id=context.provider_id,
            file=config.oci_config_file_path.expanduser(),
            profile=config.oci_config_profile,
        )
        return _KeyOrSignature(context, signature)

    def url(self, path: str, model: str) -> str:
        parts = urlsplit(self._base_url)
        if path == self._facts.models_path:
            host = parts.netloc.removeprefix("inference.")  # the management API has a host of its own
            charged = quote(self._settings.oci_compartment_id, safe="")
            query = f"compartmentId={charged}&lifecycleState=ACTIVE&limit=1000"
            return f"{parts.scheme}://{host}{_VERSION}/models?{query}"
        if not path.startswith("/"):
            return f"{parts.scheme}://{parts.netloc}{_VERSION}/actions/{path}"
        return super().url(path, model)

    def read_models(self, answer: Any) -> list[ListEntry] | None:
        return forms.models_in(answer)

    async def list_models(self) -> list[ListedModel]:
        """The models of the management API, which wants a signature: with an API key, those that the config allows.
        Raises Unavailable where nothing says which compartment is asked.
        """
        if self._signs:
            self._check_compartment()
            return await super().list_models()
        return [forms.named(name) for name in self._settings.allowed_models or ()]

    async def check_health(self) -> ProviderHealth:
        if self._signs:
            self._check_compartment()
            return await super().check_health()
        if self._settings.allowed_models:
            return healthy()
        return healthy("an API key lists no models: name them in `allowed_models`, or ask for them by name")

    async def vectors(self, request: EmbeddingsRequest, body: Json) -> Reply:
        more = {name: value for name, value in body.items() if name != "input"}
        path = self._has(self._facts.embeddings, "embeddings").path

        async def asked(some: list[Any]) -> Json:
            outgoing = self._outgoing(path, request.model, {**more, "inputs": some})
            return (await self._http.reply(outgoing, member="embeddings")).value()

        answers = await concurrently(asked, batches_of(request, _TEXTS_AT_ONCE), at_once=_CALLS_AT_ONCE)
        return forms.vectors(request.model, answers)

    def _outgoing(self, path: str, model: str, body: Json) -> Outgoing:
        charged = self._charged()
        if path.startswith("/"):
            sent = super()._outgoing(path, model, body)
            # The second is its name in older clients of Oracle's.
            return sent.with_headers({"opc-compartment-id": charged, "compartmentid": charged} if charged else {})
        if not charged:
            raise self._nobody_charged()
        return super()._outgoing(path, model, forms.own_form(body, charged, provider_id=self._provider_id))

    def _charged(self) -> str:
        """The compartment; empty for a caller or a config with an API key, which belongs to one. Raises
        RequestError.
        """
        said = current().provider_data
        for name in _ONLY_HERE:
            if said.get(name):
                raise RequestError(
                    f"`{name}` in X-LlamaStack-Provider-Data cannot be honoured: `{self._provider_id}` signs as its"
                    " config says",
                    hint=f"leave out `{name}`, or send a key of yours as `oci_api_key`",
                    param=name,
                    code="unsupported_parameter",
                )
        theirs = said.get("oci_compartment_id")
        charged = theirs.strip() if isinstance(theirs, str) else ""
        charged = charged or self._settings.oci_compartment_id.strip()
        if not charged.isascii() or not charged.isprintable():
            raise RequestError("`oci_compartment_id` is no OCID", param="oci_compartment_id", code="invalid_value")
        if not charged and self._keys.get() is None:
            raise self._nobody_charged()
        return charged

    def _check_compartment(self) -> None:
        if not self._settings.oci_compartment_id.strip():
            words = f"provider `{self._provider_id}` has no compartment"
            raise Unavailable(words, hint=_COMPARTMENT)

    def _nobody_charged(self) -> RequestError:
        return RequestError(
            f"provider `{self._provider_id}` does not know which compartment is charged",
            hint=f"{_COMPARTMENT}, or send it in X-LlamaStack-Provider-Data",
            param="oci_compartment_id",
            code="missing_required_parameter",
        )


class _KeyOrSignature:
    """An API key of the service, a caller's or the config's; without one, requests are signed."""

    def __init__(self, context: ProviderContext, signature: OciSignature) -> None:
        self._bearer = Bearer(context.keys)
        self._keys = context.keys
        self._signature = signature

    @property
    def hint(self) -> str:
        return self._bearer.hint if self._keys.configured() is not None else self._signature.hint

    async def apply(self, request: Outgoing) -> Outgoing:
        """Raises what the signature raises."""
        if self._keys.get() is not None:
            return await self._bearer.apply(request)
        return await self._signature.apply(request)

    async def renew(self, refused: Outgoing) -> bool:
        """After a refusal: whether there are other credentials now. Raises what the signature raises."""
        return await self._signature.renew(refused)
