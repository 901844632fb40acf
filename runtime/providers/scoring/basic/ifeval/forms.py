"""Instructions about the form of an answer: placeholders, lists, sections, JSON, a title, how it begins and ends."""

from __future__ import annotations

import json
import re

from runtime.providers.scoring.basic.ifeval.instruction import Instruction

_HIGHLIGHT, _BOLD = re.compile(r"\*([^\n*]*)\*"), re.compile(r"\*\*([^\n*]*)\*\*")
_FENCE = re.compile(r"^```(?:json|Json|JSON)?|```$")
_POSTSCRIPTS = {"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")}
_OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def _has_placeholders(answer: str, num_placeholders: float) -> bool:
    """Such as `[name]`, each within a line."""
    count = 0
    for line in answer.split("\n"):
        at = line.find("[")
        while at >= 0 and (end := line.find("]", at)) >= 0:
            count, at = count + 1, line.find("[", end)
    return count >= num_placeholders


def _has_postscript(answer: str, postscript_marker: str) -> bool:
    marker, answer = postscript_marker.strip(), answer.lower()
    known = _POSTSCRIPTS.get(marker)
    return bool(known.search(answer)) if known else marker.lower() in answer


def _has_bullets(answer: str, num_bullets: float) -> bool:
    """Lines that begin with `*` and no second one, or with `-`."""
    lines = [line.lstrip() for line in answer.split("\n")]
    return sum(line[:1] == "-" or (line[:1] == "*" and line[1:2] != "*") for line in lines) == num_bullets


def _is_one_of_the_options(answer: str) -> bool:
    return any(option in answer for option in _OPTIONS)


def _has_highlights(answer: str, num_highlights: float) -> bool:
    """`*so*` or `**so**`."""
    found = [*_HIGHLIGHT.findall(answer), *_BOLD.findall(answer)]
    return sum(bool(text.strip()) for text in found) >= num_highlights


def _has_sections(answer: str, section_spliter: str, num_sections: float) -> bool:
    """Sections begin with the word and a number, such as `Section 1`."""
    return len(re.findall(rf"{re.escape(section_spliter.strip())}\s?\d", answer)) >= num_sections


def _is_json(answer: str) -> bool:
    try:
        json.loads(_FENCE.sub("", answer.strip()))
    except (ValueError, RecursionError):
        return False
    return True


def _has_title(answer: str) -> bool:
    """`<<so>>`, within a line."""
    for line in answer.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end and line[start:end].strip("<>").strip():
            return True
    return False


def _has_two_responses(answer: str) -> bool:
    """Two different ones between lines of `******`."""
    parts = [part.strip() for part in answer.split("******")]
    responses = [part for part in parts if part]
    return all(parts[1:-1]) and len(responses) == 2 and responses[0] != responses[1]


def _repeats_the_prompt(answer: str, prompt_to_repeat: str) -> bool:
    return answer.strip().lower().startswith(prompt_to_repeat.strip().lower())


def _ends_with(answer: str, end_phrase: str) -> bool:
    return answer.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def _is_quoted(answer: str) -> bool:
    answer = answer.strip()
    return len(answer) > 1 and answer[0] == answer[-1] == '"'


FORMS = {
    "detectable_content:number_placeholders": Instruction(
        follows=_has_placeholders, arguments={"num_placeholders": "number"}
    ),
    "detectable_content:postscript": Instruction(follows=_has_postscript, arguments={"postscript_marker": "text"}),
    "detectable_format:number_bullet_lists": Instruction(follows=_has_bullets, arguments={"num_bullets": "number"}),
    "detectable_format:constrained_response": Instruction(follows=_is_one_of_the_options, arguments={}),
    "detectable_format:number_highlighted_sections": Instruction(
        follows=_has_highlights, arguments={"num_highlights": "number"}
    ),
    "detectable_format:multiple_sections": Instruction(
        follows=_has_sections, arguments={"section_spliter": "text", "num_sections": "number"}
    ),
    "detectable_format:json_format": Instruction(follows=_is_json, arguments={}),
    "detectable_format:title": Instruction(follows=_has_title, arguments={}),
    "combination:two_responses": Instruction(follows=_has_two_responses, arguments={}),
    "combination:repeat_prompt": Instruction(follows=_repeats_the_prompt, arguments={"prompt_to_repeat": "text"}),
    "startend:end_checker": Instruction(follows=_ends_with, arguments={"end_phrase": "text"}),
    "startend:quotation": Instruction(follows=_is_quoted, arguments={}),
}
