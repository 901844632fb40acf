"""The encoding of a text, found in few words: Western ones without statistics, others by what no Western text has."""

from __future__ import annotations

import codecs
import io

import pytest

from runtime.errors import RequestError
from runtime.providers.file_processors._readers.encodings import codec_of, decoded, unicode_encoding
from runtime.providers.file_processors._readers.html import document_of
from runtime.providers.file_processors._readers.kinds import kind_of
from runtime.providers.file_processors._readers.reading import Reading

WESTERN = [
    *("Käse", "Käse und Brot", "Müller", "Été", "Ü", "naïve café", "Ça va?", "señor", "100 °C", "€ 5", "créée"),
    *("l\u00b4été à Paris, c\u00b4est génial", "Wie geht\u00b4s den Gästen?"),
    *("déjà vu à Paris, c'est l'été", "smørrebrød på bordet", "Hyvää päivää", "“quoted” text", "10 m²", "œuvre"),
    "La niña comió ñoquis mañana.\n" * 20,
]
OTHERS = [
    ("Привет, как дела? Сегодня хорошая погода.", "cp1251"),
    ("Привет, как дела? Сегодня хорошая погода.", "koi8-r"),
    ("こんにちは、世界。今日はいい天気です。", "shift_jis"),
    ("こんにちは", "euc_jp"),
    ("你好。世界。今天天氣很好。我們去公園", "big5"),
    ("안녕하세요 세계", "euc_kr"),
    ("Zażółć gęślą jaźń", "cp1250"),
    ("Zażółć gęślą jaźń", "iso8859-2"),
    ("Dobrý den, jak se máte? Příliš žluťoučký kůň", "cp1250"),
    ("Καλημέρα κόσμε", "iso8859-7"),
]
TABLE = "name,age\nKäse,3\nBrot,4\n"


@pytest.mark.parametrize("text", WESTERN)
def test_a_western_text_needs_no_length(text: str) -> None:
    assert decoded(text.encode("cp1252")) == text


@pytest.mark.parametrize(("text", "encoding"), OTHERS)
def test_others_are_told_by_their_letters(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text


def test_one_broken_byte_does_not_make_utf8_something_else() -> None:
    text = "Die Größe der Lamas überrascht viele Gäste in Köln."
    assert decoded(text.encode() + b"\xff" + text.encode()) == f"{text}\ufffd{text}"


@pytest.mark.parametrize(
    ("content", "end"),
    [
        ("Grüße aus Köln, schöne Straße".encode() + b"\xff", "Straße\ufffd"),
        ("Привет, как дела? Сегодня хорошая погода.".encode("cp1251"), "погода."),
    ],
)
def test_a_long_beginning_of_ascii_tells_nothing(content: bytes, end: str) -> None:
    assert decoded(b"var plain = 1;\n" * 6000 + content).endswith(end)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("text", [TABLE, "이름,나이\n라마,3\n"])
def test_a_mark_tells_the_encoding_and_is_no_text(mark: bytes, encoding: str, text: str) -> None:
    assert decoded(mark + text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_unicode_without_a_mark_is_told_by_its_nuls(encoding: str) -> None:
    content = TABLE.encode(encoding)
    assert (unicode_encoding(content), decoded(content)) == (encoding, TABLE)
    assert kind_of(io.BytesIO(content), Reading(filename="table.csv")) == "csv"
    assert unicode_encoding(b"a\0b") is None and unicode_encoding(b"") is None


@pytest.mark.parametrize("size", [2, 4])
def test_small_numbers_are_no_text(size: int) -> None:
    numbers = b"".join((at % 30).to_bytes(size, "little") for at in range(1, 3000))
    with pytest.raises(RequestError, match=r"neither text nor a format"):
        kind_of(io.BytesIO(numbers), Reading())


def test_a_stray_nul_makes_no_table_binary() -> None:
    assert kind_of(io.BytesIO(b"name,age\nK\0se,3\nBrot,4\n"), Reading()) == "csv"


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("ISO-8859-1", "cp1252"),
        ("Shift_JIS", "cp932"),
        ("TIS-620", "cp874"),
        ("UTF8", "utf-8"),
        ("windows-1251", "cp1251"),
    ],
)
def test_a_page_is_in_the_encoding_that_it_declares(declared: str, codec: str) -> None:
    assert codec_of(declared) == codec


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        *(("iso-8859-1", "cp1252", "Øl på bordet, blåbær"), ("utf-8", "utf-8", "Größe, schön")),
        *(("windows-1252", "cp1252", "blåbær, Øl"), ("euc-kr", "euc_kr", "안녕하세요 세계")),
    ],
)
def test_one_broken_byte_does_not_make_what_a_page_declares_something_else(
    declared: str, codec: str, text: str
) -> None:
    page = f'<meta charset="{declared}"><p>'.encode() + text.encode(codec) + b"\x81</p>"
    assert [block.text for block in document_of(page).blocks] == [f"{text}\ufffd"]


def test_a_page_that_says_what_it_is_not_is_read_as_what_it_is() -> None:
    for declared, codec in (("utf-8", "cp1252"), ("iso-8859-1", "utf-8")):
        page = f'<meta charset="{declared}"><p>'.encode() + "Käse und Brot, Á".encode(codec)
        assert [block.text for block in document_of(page).blocks] == ["Käse und Brot, Á"]


@pytest.mark.parametrize("declared", ["utf-7", "unicode_escape", "punycode", "undefined", "hex", "utf-16", "klingon"])
def test_no_page_is_in_the_codecs_of_python_alone(declared: str) -> None:
    assert codec_of(declared) is None
