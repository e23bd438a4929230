"""What is put into a message fits what SQS takes, whatever the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inspector.aws.bucket import possible_key
from inspector.aws.queue import cut_bytes, sendable

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT)
def test_every_text_becomes_one_that_sqs_takes(text: str) -> None:
    for char in sendable(text):
        code = ord(char)
        assert char in "\t\n\r" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
    assert len(sendable(text)) == len(text)


@given(st.text(), st.integers(0, 40))
def test_a_text_is_cut_between_characters(text: str, limit: int) -> None:
    cut = cut_bytes(text, limit)
    assert text.startswith(cut)
    assert len(cut.encode()) <= limit
    assert cut == text or len((cut + text[len(cut)]).encode()) > limit


@given(ANY_TEXT)
def test_a_possible_key_is_one_to_1024_bytes_of_utf_8(text: str) -> None:
    surrogate = any(0xD800 <= ord(char) <= 0xDFFF for char in text)
    assert possible_key(text) == (not surrogate and 1 <= len(text.encode(errors="ignore")) <= 1024)
    assert possible_key("é" * 512)
    assert not possible_key("é" * 512 + "a")
