"""`regex_parser_multiple_choice_answer`: which letter an answer ends up with, in many languages.

The words before the letter are those that llama-stack's function of this name has, which are simple-evals'
(https://github.com/openai/simple-evals, `common.py`), and a few languages more; so are the letters, and which of ours
those of other scripts stand for.
"""

from __future__ import annotations

import unicodedata

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import EXPECTED, GENERATED, ListedFunction
from runtime.apis.scoring.params import RegexParserParams
from runtime.providers.scoring.basic.row_function import RowFunction, ScoreRow, Told, text_in

_PHRASES = r"the (?:best|correct|final|right) answer is|the answer is"
_WORDS = (
    "Answer",
    "Antwort|Antwoord",
    "Respuesta|Resposta|Risposta",
    "Réponse",
    "Ответ",
    "Odpowiedź",
    "Cevap",
    "Jawaban",
    "Đáp án|Câu trả lời",
    "คำตอบ",
    "답변|정답|답",
    "答案|答复|答曰|答え|回答|解答|答",
    "الإجابة النهائية(?: هي)?|الإجابة الصحيحة(?: هي)?|الإجابة(?: هي)?|الجواب|إجابة",
    "উত্তর",
    "उत्तर",
    "Jibu",
    "Ìdáhùn|Idáhùn|Idahun|Àdáhùn|Àmọ̀nà|Ànúgọ|Àṣàyàn",
)
"""What "answer" is called: English, German and Dutch, Spanish, Portuguese and Italian, French, Russian, Polish,
Turkish, Indonesian, Vietnamese, Thai, Korean, Chinese and Japanese, Arabic, Bengali, Hindi, Swahili, Yoruba.
"""
_COLON = r"[\s\p{Cf}*_]*[:\uFF1A\u0983]"
_OPENING = r"(?:[\s\p{Cf}*_`\"'\u201C(\[{$:]|\\boxed|\\text|\\mathbf|\\mathrm)*"
"""What Markdown, LaTeX and quotation marks have before the letter."""
_LETTER = r"([A-J\uFF21-\uFF2A](?![a-z])|[أبجد](?![\p{L}\p{M}])|[অবডঢ](?![\p{L}\p{M}]))"
_OTHER_SCRIPTS = dict(zip("أبجدঅবডঢ", "ABCDABCD", strict=True))
REGEXES = [
    rf"(?i)\b(?:{_PHRASES}){_OPENING}{_LETTER}",
    *(rf"(?i)(?:{words}){_COLON}{_OPENING}{_LETTER}" for words in _WORDS),
]


def letter_of(text: str) -> str:
    """A letter in whichever script and case, as A to J; another text without the spaces around it."""
    text = unicodedata.normalize("NFKC", text).strip()
    return _OTHER_SCRIPTS.get(text, text.upper()) if len(text) == 1 else text


def _prepare(told: Told) -> ScoreRow:
    def score(row: Row) -> Row:
        expected = letter_of(text_in(row, EXPECTED))
        found = told.regexes.find_in(text_in(row, GENERATED))
        parsed = None if found is None else letter_of(found)
        return {"score": float(bool(parsed) and parsed == expected), "parsed_answer": parsed}

    return score


MULTIPLE_CHOICE = RowFunction(
    listed=ListedFunction(
        name="regex_parser_multiple_choice_answer",
        description="1.0 where the letter that follows `Answer:`, in many languages, is the expected one",
        params=RegexParserParams(parsing_regexes=REGEXES, aggregation_functions=["accuracy"]),
    ),
    prepare=_prepare,
)
