"""Texts and questions have the same words, however either is spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.documents.words import query_words_of, words_of, words_version


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The readers are reading files.", "the reader are read file"),
        ("get_user_name", "getusernam get user name"),
        ("getUserName", "getusernam get user name"),
        ("HTTP_404 HTTPServer", "http404 http 404 httpserver http server"),
        ("XMLHttpRequest", "xmlhttprequest xml http request"),
        ("URLs IPv6 sha256", "url ipv6 sha256"),
        ("os.path.join()", "os.path.join os path join"),
        ("foo-bar utf-8 utf8", "foobar foo bar utf8 utf 8 utf8"),
        ("v1.2.3 3.14 10.0.0.1", "v1.2.3 1.2.3 3.14 10.0.0.1"),
        ("python3.11", "python3.11 python3"),
        ("POST /v1/files", "post v1/files v1 file"),
        ("std::vector", "std::vector std vector"),
        ("user@example.com", "user@example.com user example.com exampl com"),
        ("C++ and C# or g++, c+", "c++ and c# or g++ c"),
        ("1,000 and 1,000,000, but 1,00", "1000 and 1000000 but 1 00"),
        ("10GB 10 GB 1.5ms", "10gb 10 gb 10 gb 1.5ms 5ms 5 ms"),
        ("2024-01-15", "20240115 2024 01 15"),
        ("__init__ __main__.py _ ___", "init __main__.py main py"),
        ("--verbose -v $HOME #include", "verbos v home includ"),
        ("It's the user's; don't, DON'T", "it the user dont dont"),
        ("O'Reilly O\u2019Reilly", "oreilli o reilli oreilli o reilli"),
        ("end.Next wait...what a -- b", "end.next end next wait what a b"),
        ("Café CAFÉ cafe\u0301 naïve", "cafe cafe cafe naiv"),
        ("Straße STRASSE Øre", "strass strass ore"),
        ("ﬁle \uff26\uff55\uff4c\uff4c co\u00adop ½", "file full coop 1 2"),
        ("ёлка Ёлка", "елка елка"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("全文検索 猫 Python入門", "全文 文検 検索 全 文 検 索 猫 python 入門 入 門"),
        ("한국어", "한국 국어 한 국 어"),
        ("ภาษาไทย", "ภา าษ ษา าไ ไท ทย ภ า ษ า ไ ท ย"),
        ("😀 ... \0 \ud800", ""),
    ],
)
def test_the_words_of_a_text(text: str, words: str) -> None:
    assert words_of(text) == words.split()


def test_a_text_has_a_word_as_often_as_it_occurs() -> None:
    assert words_of("file Files FILE a_file") == ["file", "file", "file", "afil", "a", "file"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How do I read a file?", "read file"),
        ("what is the user's name", "user name"),
        ("no such file or directory", "no file directori"),
        ("file Files FILE", "file"),
        ("to be or not to be", "not"),
        ("What is this?", "what is this"),
        ("全文検索", "全文 文検 検索"),
        ("猫", "猫"),
        ("", ""),
    ],
)
def test_a_question_has_what_is_worth_searching_once(question: str, words: str) -> None:
    assert query_words_of(question) == words.split()


@given(st.text())
def test_whatever_is_asked_is_among_the_words_of_the_same_text(text: str) -> None:
    words = words_of(text)
    assert set(query_words_of(text)) <= set(words)
    assert all(words) and all(len(word) <= 128 for word in words)
    assert bool(words) == bool(query_words_of(text))


@given(st.text(alphabet="aA1_-.'/:@+#, é\u0301全", max_size=30), st.sampled_from([" ", "\n", "; ", " (", "\t"]))
def test_words_do_not_depend_on_what_stands_around_a_blank(text: str, blank: str) -> None:
    assert words_of(f"before{blank}{text} after") == ["befor", *words_of(text), "after"]


def test_a_very_long_run_has_one_word_of_limited_length() -> None:
    assert words_of("x" * 1_000_000) == ["x" * 128]
    assert len(words_of("a_" * 1000)[0]) == 128


@pytest.mark.parametrize(
    ("begin", "again", "end", "words"),
    [
        ("1", ",000", "x", 75_003),
        ("v1.", "1111", "-x", 4),
        ("\u0915", "\u094d\u093c\u094d\u093c", "", 1),
        ("a", "\u0300\u0316\u0300\u0316", "", 1),
    ],
)
def test_no_text_takes_time_with_the_square_of_its_length(begin: str, again: str, end: str, words: int) -> None:
    assert len(words_of(begin + again * 75_000 + end)) == words  # minutes, where it did


def test_more_names_than_are_kept_have_their_words() -> None:
    names = [f"name{number}" for number in range(70_000)]
    assert words_of(" ".join(names)) == words_of(" ".join(names)) == names


def test_the_version_is_a_small_number() -> None:
    assert 1 << 16 <= words_version() < 2**31
