"""The task that a version of Llama Guard is given: what to judge, the categories, and the conversation.

The texts are those of the chat templates that lie beside the weights of each version (`tokenizer_config.json`), without
the tokens of the model around them: the task is the content of one user message, as llama-stack sends it, and whoever
serves the model adds those. A server that has such a template, from beside the weights or as Ollama its own, takes
`chat_messages` instead: given the task, it would write a second one around it.

Images stand before the task, as in the template of Llama Guard 3 Vision. For several, Meta publishes no example.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runtime.errors import RequestError
from runtime.providers.safety._llama_guard.categories import Category
from runtime.providers.safety._llama_guard.conversation import Turn
from runtime.providers.safety._llama_guard.versions import VERSIONS, Version
from runtime.providers.safety._message_content import write_content


@dataclass(frozen=True, kw_only=True)
class _Wording:
    policy: str = "according our safety policy"
    judged: str = "ONLY THE LAST {speaker} message"
    bullet: str = " - "
    after_name: str = "."


_WORDINGS = {
    1: _Wording(judged="{speaker}", bullet="- "),
    2: _Wording(after_name=". "),
    3: _Wording(),
    4: _Wording(policy="according to our safety policy"),
}
"""Generation -> how its template differs."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a model is asked. images: all that it sees, of whichever turn. unseen_images: how many of earlier turns it
    does not. categories: those that it is asked about. excluded: codes that somebody does not want to know of; a model
    may still answer them. judged: the turn that the answer is about.
    """

    text: str
    images: tuple[str, ...]
    unseen_images: int
    categories: tuple[Category, ...]
    excluded: frozenset[str]
    judged: Turn

    @property
    def content(self) -> str | list[dict[str, Any]]:
        """Of the one user message: the text, or images and the text."""
        return write_content(self.text, self.images)


def task(
    version: Version,
    turns: Sequence[Turn],
    *,
    categories: Sequence[Category] = (),
    excluded: Iterable[str] = (),
) -> Task:
    """What to send for the last of `turns`, which `conversation` made. categories: of `own_categories`; empty for the
    version's. excluded: codes not to ask about.

    Raises RequestError for images that the version does not take, for codes to exclude that it does not know, and if
    none is left to ask about.
    """
    seen = _seen(version, turns)
    images = tuple(image for turn in seen for image in turn.images)
    known = tuple(categories or version.categories)
    without = _excluded(version, known, excluded)
    unasked = without | version.text_only if images and not categories else without
    asked = tuple(category for category in known if category.code not in unasked)
    if not asked:
        raise RequestError("Every category is excluded: nothing is left to judge a message by")
    return Task(
        text=_text(_WORDINGS[version.generation], seen, asked),
        images=images,
        unseen_images=sum(len(turn.images) for turn in turns) - len(images),
        categories=asked,
        excluded=without,
        judged=seen[-1],
    )


def chat_messages(version: Version, turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The turns as they are, for a server whose own template writes the task around them. It asks about all categories
    of the version; what is excluded is left to `verdict`. Raises RequestError for images that the version does not
    take.
    """
    return [
        {"role": "user" if turn.speaker == "User" else "assistant", "content": write_content(turn.text, turn.images)}
        for turn in _seen(version, turns)
    ]


def _text(wording: _Wording, turns: Sequence[Turn], categories: Sequence[Category]) -> str:
    speaker = turns[-1].speaker
    listed = "\n".join(
        f"{category.code}: {category.name}{wording.after_name}"
        + (f"\n{category.description}" if category.description else "")
        for category in categories
    )
    said = "\n\n".join(f"{turn.speaker}: {turn.text}".rstrip() for turn in turns)
    return (
        f"Task: Check if there is unsafe content in '{speaker}' messages in conversations {wording.policy} with the"
        " below categories.\n\n"
        f"<BEGIN UNSAFE CONTENT CATEGORIES>\n{listed}\n<END UNSAFE CONTENT CATEGORIES>\n\n"
        f"<BEGIN CONVERSATION>\n\n{said}\n\n<END CONVERSATION>\n\n"
        f"Provide your safety assessment for {wording.judged.format(speaker=speaker)} in the above conversation:\n"
        f"{wording.bullet}First line must read 'safe' or 'unsafe'.\n"
        f"{wording.bullet}If unsafe, a second line must include a comma-separated list of violated categories."
    )


def _seen(version: Version, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with the images that the version takes: all of the judged one, and the latest before it that there is
    room for.
    """
    room, judged = version.most_images, turns[-1]
    if room is None:
        return tuple(turns)
    if room < len(judged.images):
        raise _too_many(version, len(judged.images))
    room -= len(judged.images)
    seen = [judged]
    for turn in reversed(turns[:-1]):
        kept = turn.images[max(0, len(turn.images) - room) :]
        room -= len(kept)
        seen.append(replace(turn, images=kept))
    return (*reversed(seen),)


def _too_many(version: Version, images: int) -> RequestError:
    if version.most_images:
        words = f"{version.title} sees one image, and the message to judge has {images}"
        return RequestError(words, param="messages")
    seeing = ", ".join(other.title for other in VERSIONS if other.most_images != 0)
    return RequestError(
        f"{version.title} reads text alone, and the message to judge has an image",
        hint=f"those that see images: {seeing}",
        param="messages",
    )


def _excluded(version: Version, known: Sequence[Category], codes: Iterable[str]) -> frozenset[str]:
    """Also codes that another version of its generation knows: one config may serve both."""
    wanted = frozenset(code.strip().upper() for code in codes)
    same = [other for other in VERSIONS if other.generation == version.generation]
    listed = list(dict.fromkeys(category.code for category in (*known, *(c for v in same for c in v.categories))))
    for code in sorted(wanted - {*listed}):
        raise RequestError(
            f"`{code[:40]}` is no category of {version.title}", hint=f"its categories: {', '.join(listed)}"
        )
    return wanted
