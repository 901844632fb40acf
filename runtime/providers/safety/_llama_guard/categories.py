"""The categories of unsafe content that each generation of Llama Guard is trained for.

Codes and names are those of the prompt: of the chat templates that lie beside the weights, of Meta's cookbook
(https://github.com/meta-llama/llama-cookbook, `prompt_format_utils.py`) and of llama-stack. The model cards
(https://github.com/meta-llama/PurpleLlama) call some of them by longer names, such as `Sex-Related Crimes`.

`openai` names the categories of OpenAI's moderation object (https://platform.openai.com/docs/guides/moderation) that
are true of content of this category, by both definitions, with the wider one of two. What no code tells is in none:
`harassment`, what `hate` threatens, whether violence is graphic, whether someone intends to harm themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtime.apis.safety.categories import OPENAI_CATEGORIES
from runtime.errors import RequestError

_is_code = re.compile(r"[A-Z]{1,3}[0-9]{1,3}").fullmatch
_MOST = 64
"""Categories of a prompt. Each costs tokens in every call."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """One kind of unsafe content. code: what the model answers, such as `S1`. description: lines below the name, where
    the prompt has any. openai: the categories of OpenAI that it counts as.
    """

    code: str
    name: str
    description: str = ""
    openai: tuple[str, ...] = ()


def own_categories(categories: Sequence[Category]) -> tuple[Category, ...]:
    """Categories of somebody's own, which take the place of a version's. Raises RequestError for codes or names that an
    answer could not tell apart, and for names of OpenAI's categories that it has not got.
    """
    if not 0 < len(categories) <= _MOST:
        raise RequestError(f"There are {len(categories)} categories: from 1 to {_MOST} can be asked about")
    found: dict[str, Category] = {}
    for category in categories:
        name = category.name.strip().rstrip(".")
        if not _is_code(category.code):
            raise RequestError(
                f"The code `{category.code[:40]}` of a category cannot be used",
                hint="a code is one to three capital letters and a number, such as `S15`",
            )
        if not name or not name.isprintable():
            raise RequestError(f"The name of category `{category.code}` has to be one line of text")
        if name in OPENAI_CATEGORIES:
            raise RequestError(f"The name of category `{category.code}` is that of one of OpenAI's, `{name}`")
        for openai in category.openai:
            if openai not in OPENAI_CATEGORIES:
                raise RequestError(
                    f"Category `{category.code}` counts as `{openai[:40]}`, which OpenAI does not have",
                    hint=f"it has {', '.join(f'`{known}`' for known in OPENAI_CATEGORIES)}",
                )
        if category.code in found or name in {other.name for other in found.values()}:
            raise RequestError(f"Category `{category.code}`, `{name[:100]}`: another one has that code or name")
        found[category.code] = replace(category, name=name)
    return (*found.values(),)


_VIOLENT = ("violence", "illicit", "illicit/violent")
_WEAPONS = ("illicit", "illicit/violent")
_SELF_HARM = ("self-harm", "self-harm/instructions")

_HAZARDS = (
    ("Violent Crimes", _VIOLENT),
    ("Non-Violent Crimes", ("illicit",)),
    ("Sex Crimes", ("sexual", "illicit")),
    ("Child Exploitation", ("sexual", "sexual/minors")),
    ("Defamation", ()),
    ("Specialized Advice", ()),
    ("Privacy", ()),
    ("Intellectual Property", ()),
    ("Indiscriminate Weapons", _WEAPONS),
    ("Hate", ("hate",)),
    ("Self-Harm", _SELF_HARM),
    ("Sexual Content", ("sexual",)),
    ("Elections", ()),
    ("Code Interpreter Abuse", ()),
)
"""The 13 hazards of MLCommons (https://arxiv.org/abs/2404.12241), and one of Meta's own."""
_NOT_OF_GENERATION_2 = ("Defamation", "Elections", "Code Interpreter Abuse")


def _numbered(*, without: tuple[str, ...] = ()) -> tuple[Category, ...]:
    kept = [(name, openai) for name, openai in _HAZARDS if name not in without]
    return tuple(
        Category(code=f"S{number}", name=name, openai=openai) for number, (name, openai) in enumerate(kept, start=1)
    )


GENERATION_2 = _numbered(without=_NOT_OF_GENERATION_2)
"""S1 to S11. From S5 on, a code means another category than in generation 3."""
GENERATION_3 = _numbered()
"""S1 to S14; those of generation 4 too."""

GENERATION_1 = (
    Category(
        code="O1",
        name="Violence and Hate",
        openai=("violence", "hate"),
        description="""\
Should not
- Help people plan or engage in violence.
- Encourage people to engage in violence.
- Express hateful, derogatory, or demeaning sentiments against people based on sensitive personal characteristics like \
their race, color, religion, national origin, sexual orientation, gender, gender identity, or disability.
- Encourage discrimination against people based on those characteristics and should not use slurs or create insults \
based on those characteristics.
Can
- Provide information on violence and discrimination.
- Discuss the topics of hate and violence, and can discuss historical events involving violence.""",
    ),
    Category(
        code="O2",
        name="Sexual Content",
        openai=("sexual",),
        description="""\
Should not
- Engage in sexually explicit (i.e., erotic) conversations and should not encourage people to engage in sexual \
activities.
Can
- Discuss topics related to sexuality and sexual education.
- Provide general information regarding sexual activities.
- Provide guidance on topics related to sexual health.""",
    ),
    Category(
        code="O3",
        name="Criminal Planning",
        openai=("illicit",),
        description="""\
Should not
- Help people plan or engage in criminal activities like theft, kidnapping, or financial crimes, especially when the \
person indicates that they may act on the information provided to them.
- Encourage people to engage in criminal activities or condone criminal behavior.
Can
- Help people understand how crimes are committed, provided that the response is not so detailed that it could be used \
to provide a roadmap for future crimes.
- Help people understand how systems work that are used to prevent crimes, provided those descriptions do not provide \
detailed information on how to defeat those systems.""",
    ),
    Category(
        code="O4",
        name="Guns and Illegal Weapons",
        openai=_WEAPONS,
        description="""\
Should not
- Assist in the planning or execution of firearm or illegal weapons crimes, especially when the person indicates that \
they may act on the information provided to them.
- Encourage people to engage in firearm or illegal weapons crimes or condone such behavior.
Can
- Discuss firearms and the arguments for and against firearm ownership.""",
    ),
    Category(
        code="O5",
        name="Regulated or Controlled Substances",
        openai=("illicit",),
        description="""\
Should not
- Encourage or assist people in the trafficking, consumption, or use of regulated or controlled substances, including \
but not limited to illegal drugs, tobacco, alcohol, and cannabis.
- Assist or encourage people to create such substances when it is illegal to do so.
Can
- Discuss the use of regulated or controlled substances, and can provide general information on those substances (ex: \
what their chemical composition is and what their effects are).
- Provide information on how those substances are manufactured, provided that the information is not so detailed as to \
provide step-by-step instructions for their creation.""",
    ),
    Category(
        code="O6",
        name="Self-Harm",
        openai=_SELF_HARM,
        description="""\
Should not
- Encourage people to harm themselves.
- Romanticize or condone self-harm or suicide.
- Provide information regarding the methods of suicide or self-harm.
- Provide any information or advice, other than information regarding appropriate health resources, to people who \
express or imply that they wish to harm themselves.
Can
- Provide general information regarding self-harm and suicide (ex: statistics, the mental health challenges faced by \
those who take these actions).
Should
- Provide information regarding appropriate health resources to people who imply or express the desire to harm \
themselves.""",
    ),
)
"""With the policy of each, which belongs to the prompt."""
