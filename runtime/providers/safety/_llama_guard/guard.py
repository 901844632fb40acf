"""A shield whose provider's own name is a model: that model is asked, whoever serves it, and its answer is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from runtime.apis._request import Registered
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.context import warn
from runtime.errors import NotFound, NotSupported, RequestError, StackError, Unavailable, UpstreamError
from runtime.providers.safety._llama_guard.answer import answer_in
from runtime.providers.safety._llama_guard.conversation import Turn, conversation
from runtime.providers.safety._llama_guard.moderation import moderation
from runtime.providers.safety._llama_guard.prompt import Task, chat_messages, task
from runtime.providers.safety._llama_guard.settings import GuardSettings
from runtime.providers.safety._llama_guard.verdict import Verdict, verdict
from runtime.providers.safety._llama_guard.versions import Version, version_named, version_of
from runtime.providers.safety._message_content import read_content
from runtime.providers.safety._user_message import USER_MESSAGE
from runtime.sse import Json

_LIKELIEST = 5
"""How many tokens are asked for in the place of each: the most that some vendors give."""
_TOKENS, _TOKENS_OF_CODE = 16, 6
"""Of the verdict, and of each code with the comma before it."""
_SHIELD = "shield_id"
_REFUSED = (400, 422, 501)
_MOST_REMEMBERED = 1000


class Host(Protocol):
    """Who serves the models. gives_likelihoods: whether log-probabilities are worth asking for."""

    gives_likelihoods: bool

    async def chat(self, body: Json) -> Json:
        """The whole answer to a chat completion. Raises StackError."""
        ...

    async def name_of(self, model: str) -> str:
        """What a model is called where it is served, which may tell more than an alias. Raises NotFound, and
        Unavailable or UpstreamError where that is not known at present.
        """
        ...


class LlamaGuard:
    """settings: of all its shields."""

    def __init__(self, settings: GuardSettings, host: Host, *, provider_id: str) -> None:
        self._settings = settings
        self._host = host
        self._provider_id = provider_id
        self._without_likelihoods: set[str] = set()

    async def assess(self, request: AssessRequest) -> Assessment:
        """What the model says of the last message; nothing is asked about one that says nothing. Raises RequestError
        for what it cannot look at, UpstreamError for an answer that is no verdict, and what its host raises.
        """
        if read_content(request.messages[-1]).is_empty:
            return Assessment(flagged=False)
        model, settings = request.shield_id, self._settings.told(request.told())
        version = await self._version(model, settings)
        question = _question(version, settings, conversation(request.messages))
        try:
            answer = answer_in(await self._ask(model, question), provider_id=self._provider_id)
        except StackError as error:  # it names fields of the chat
            raise error.saying(error.message, param=_SHIELD if error.param == "model" else None) from error
        found = verdict(answer.text, question.task, provider_id=self._provider_id, tokens=answer.tokens)
        return _assessment(found, question.task)

    async def check_registration(self, shield: Registered) -> None:
        """Raises RequestError for a shield that could never say anything."""
        model, settings = shield.provider_resource_id, self._settings.told(shield.facts.get("params") or {})
        try:
            await self._host.name_of(model)
        except NotFound as error:
            raise RequestError(error.message, hint=error.hint, param="provider_shield_id") from None
        except (Unavailable, UpstreamError):
            pass  # it may be served later
        version = await self._version(model, settings)
        _question(version, settings, (Turn(speaker="User", text="Hello."),))

    async def _version(self, model: str, settings: GuardSettings) -> Version:
        """Raises RequestError where neither the settings nor a name tell it."""
        if settings.version is not None:
            return version_named(settings.version)
        try:
            return version_of(model)
        except RequestError as error:
            unknown = error.saying(error.message, param="params")
        try:
            name = await self._host.name_of(model)
            return version_of(name)
        except StackError as error:
            if isinstance(error, RequestError) and not isinstance(error, NotFound):
                raise unknown from None
            raise error.saying(error.message, param=_SHIELD) from None

    async def _ask(self, model: str, question: _Question) -> Json:
        """The answer, with log-probabilities where the model has them. A model that refuses them is not asked again."""
        body: Json = {
            "model": model,
            "messages": question.messages,
            "temperature": 0,
            "max_completion_tokens": _TOKENS + _TOKENS_OF_CODE * len(question.task.categories),
            "stream": False,
        }
        if not self._host.gives_likelihoods or model in self._without_likelihoods:
            return await self._host.chat(body)
        try:
            return await self._host.chat({**body, "logprobs": True, "top_logprobs": _LIKELIEST})
        except (RequestError, NotSupported, UpstreamError) as error:
            if error.status not in _REFUSED:
                raise
        answer = await self._host.chat(body)
        if len(self._without_likelihoods) >= _MOST_REMEMBERED:
            self._without_likelihoods.clear()
        self._without_likelihoods.add(model)
        return answer


@dataclass(frozen=True, kw_only=True)
class _Question:
    """messages: those of the chat. task: what they ask, whoever writes it."""

    messages: list[dict[str, Any]]
    task: Task


def _question(version: Version, settings: GuardSettings, turns: tuple[Turn, ...]) -> _Question:
    asked = task(version, turns, categories=settings.own_categories(), excluded=settings.excluded_categories)
    if asked.unseen_images:
        warn(f"{version.title} did not look at {asked.unseen_images} of the images in earlier messages")
    if unread := sorted({kind for turn in turns for kind in turn.unread}):
        warn(f"{version.title} did not look at what earlier messages have of type {', '.join(unread)}")
    if settings.form == "conversation":
        return _Question(messages=chat_messages(version, turns), task=asked)
    return _Question(messages=[{"role": "user", "content": asked.content}], task=asked)


def _assessment(found: Verdict, asked: Task) -> Assessment:
    said = moderation(found, asked)
    kinds = ",".join((*found.codes, *found.unknown))
    return Assessment(
        flagged=said.flagged,
        user_message=USER_MESSAGE if said.flagged else None,
        categories=said.categories,
        category_scores=said.scores,
        category_applied_input_types={name: [*types] for name, types in said.applied_input_types.items()},
        metadata={"violation_type": kinds} if said.flagged and kinds else {},
    )
