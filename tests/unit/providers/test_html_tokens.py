"""HTML as tags and texts: what a mark that is left open, or never meant one, is taken for."""

from __future__ import annotations

import pytest

from runtime.providers.file_processors._readers.html_tokens import Tag, tokens


def shown(text: str) -> list[str]:
    """Tags in angle brackets, texts as they are."""
    return [f"<{'/' * one.is_end}{one.name}>" if isinstance(one, Tag) else one for one in tokens(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a < b <3 </> </3> <> c", ["a < b <3 ", " ", " <> c"]),
        ("<P CLASS=x>a</p\n>", ["<p>", "a", "</p>"]),
        ("<br/>a<hr / >", ["<br>", "</br>", "a", "<hr>"]),
        ("<a href=x/>a", ["<a>", "a"]),
        ("<a title='>' alt=\">\" =x>b", ["<a>", "b"]),
        ('<a href="x>b<p>c', ["<a>", "b", "<p>", "c"]),
        ("a<b", ["a"]),
        ("a</b c='", ["a"]),
        ("a<!-- <p> --!>b<!-->c<!--->d<!-- - -- > -->e<!--f", ["a", "b", "c", "d", "e"]),
        ("<?xml version='1.0'?><!DOCTYPE html><![CDATA[a]]>b", ["b"]),
        ("a<!b", ["a"]),
        ("<script>'<p></scripts>'</SCRIPT >a", ["<script>", "</script>", "a"]),
        ("<style>p", ["<style>"]),
        ("<script/>a", ["<script>", "</script>", "a"]),
        ("&lt;p&gt; &amp &#65;&#x42; &#0; &none; &", ["<p> & AB \ufffd &none; &"]),
        ("&#" + "9" * 10_000 + ";", ["\ufffd"]),
    ],
)
def test_what_is_a_tag_and_what_is_text(text: str, found: list[str]) -> None:
    assert shown(text) == found


def test_only_facts_about_the_page_have_attributes() -> None:
    [meta, other] = tokens("<META Name = author content='A &amp; B' content=C flag><p id=a>")
    assert isinstance(meta, Tag) and isinstance(other, Tag)
    assert (meta.attributes, other.attributes) == ({"name": "author", "content": "A & B", "flag": ""}, {})
