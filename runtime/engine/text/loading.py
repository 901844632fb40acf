"""From a model's path to its tokenizer and chat template.

Knows which files each kind of folder has; not how vocabularies are stored in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from runtime.clock import local_now
from runtime.engine.checkpoints.gguf_file import read_gguf
from runtime.engine.checkpoints.kinds import locate, read_json, refuse_gguf
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.text.builtin_templates import LLAMA_2_TEMPLATE, LLAMA_3_TEMPLATE, LLAMA_4_TEMPLATE
from runtime.engine.text.chat_template import ChatTemplate
from runtime.engine.text.control_spellings import KNOWN, ControlSpellings
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tokenizer import Tokenizer
from runtime.engine.text.tokenizer_gguf import tokenizer_from_gguf
from runtime.engine.text.tokenizer_hugging_face import tokenizer_from_hugging_face
from runtime.engine.text.tokenizer_meta import tokenizer_from_meta
from runtime.errors import StackError


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a model: a GGUF file, or a folder with `tokenizer.json` or Meta's `tokenizer.model`.

    Raises CheckpointInvalid, naming the file and what is wrong with it.
    """
    path = _place_of_text(path)
    if path.is_file():
        metadata = read_gguf(path).metadata
        refuse_gguf(metadata, path)
        return tokenizer_from_gguf(metadata, str(path), _spellings_in(_chosen(_gguf_sources(metadata))))
    if (path / "tokenizer.json").is_file():
        return tokenizer_from_hugging_face(path, _spellings_in(_chosen(_folder_sources(path))))
    if (path / "tokenizer.model").is_file():
        return tokenizer_from_meta(path / "tokenizer.model")
    raise CheckpointInvalid(
        f"`{path}` holds no tokenizer.", hint="give a GGUF file, or a folder with `tokenizer.json` or `tokenizer.model`"
    )


def load_chat_template(
    path: Path, tokenizer: Tokenizer, *, now: Callable[[], datetime] = local_now
) -> ChatTemplate | None:
    """The chat template of a model; None for a base model. now: the clock from which templates read the date.

    A Meta folder (`params.json`) has none and gets the format of its Llama generation. Raises CheckpointInvalid for a
    template that cannot be read or does not compile.
    """
    path = _place_of_text(path)
    found = (
        _gguf_sources(read_gguf(path).metadata)
        if path.is_file()
        else _folder_sources(path) or _meta_sources(path, tokenizer)
    )
    source = _chosen(found)
    if source is None:
        return None
    return ChatTemplate(
        source,
        name=str(path),
        tool_source=found.get("tool_use"),
        bos_token=tokenizer.spelling(tokenizer.bos_id),
        eos_token=tokenizer.spelling(tokenizer.eos_id),
        now=now,
    )


def _place_of_text(path: Path) -> Path:
    """The GGUF file or the folder. A folder with a tokenizer will do, whatever weights are beside it."""
    is_folder = path.is_dir()
    has_tokenizer = (path / "tokenizer.json").is_file() or (path / "tokenizer.model").is_file()
    return path if is_folder and (has_tokenizer or not any(path.glob("*.gguf"))) else locate(path)


_USERS_WORD, _LAST_WORD = "Qzuq", "Qzaq"  # in no template


def _spellings_in(source: str | None) -> ControlSpellings:
    """The control tokens that a template writes into a small chat, with and without a system message.

    Errors are ignored here: loading the template for use reports them.
    """
    chats: list[str] = []
    if source is None:
        return KNOWN
    turns = [{"role": "user", "content": _USERS_WORD}, {"role": "assistant", "content": _LAST_WORD}]
    with suppress(StackError):
        template = ChatTemplate(source, name="")
        for messages in ([{"role": "system", "content": _USERS_WORD}, *turns], turns):
            with suppress(StackError):
                rendered = template.render(messages, special=SpecialTokens({}), add_generation_prompt=False)
                chats.append(str(rendered))
    return KNOWN.with_chats(chats, _LAST_WORD)


def _chosen(found: Mapping[str, str]) -> str | None:
    """The template for chats without tools: `default`, else the first. No other name for it is agreed on."""
    return found.get("default") or next(iter(found.values()), None)


def _gguf_sources(metadata: Mapping[str, Any]) -> dict[str, str]:
    key = "tokenizer.chat_template"
    named = {name.removeprefix(f"{key}."): text for name, text in metadata.items() if name.startswith(f"{key}.")}
    return ({"default": metadata[key]} if key in metadata else {}) | named


def _folder_sources(folder: Path) -> dict[str, str]:
    """Templates by name. Separate files take precedence over `tokenizer_config.json`, as in transformers."""
    files = {"default": folder / "chat_template.jinja"}
    files |= {file.stem: file for file in sorted((folder / "additional_chat_templates").glob("*.jinja"))}
    try:
        found = {name: file.read_text(encoding="utf-8") for name, file in files.items() if file.is_file()}
    except (OSError, ValueError) as error:
        raise CheckpointInvalid(f"A chat template of `{folder}` cannot be read: {error}.") from error
    for file in ("chat_template.json", "tokenizer_config.json"):
        if not found and (folder / file).is_file():
            found = _named(read_json(folder / file).get("chat_template"))
    return found


def _named(value: Any) -> dict[str, str]:
    match value:
        case str():
            return {"default": value}
        case [*entries]:
            return {str(entry["name"]): str(entry["template"]) for entry in entries}
    return {}


def _meta_sources(folder: Path, tokenizer: Tokenizer) -> dict[str, str]:
    if not (folder / "params.json").is_file():
        return {}
    if "<|header_start|>" in tokenizer.special.ids:
        return {"default": LLAMA_4_TEMPLATE}
    return {"default": LLAMA_3_TEMPLATE if "<|start_header_id|>" in tokenizer.special.ids else LLAMA_2_TEMPLATE}
