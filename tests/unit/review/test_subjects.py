"""What decisions are about, as people write it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import UnknownSubject
from inspector.review import GroupId, PairId, StretchId, Subject, parse_subject

numbers = st.integers(0, 10**12)
spans = st.tuples(st.integers(0, 10**8), st.integers(1, 10**6)).map(lambda span: (span[0], sum(span)))
subjects = st.one_of(
    st.builds(GroupId, numbers),
    st.builds(PairId, numbers, numbers),
    st.builds(lambda content, span: StretchId(content, *span), numbers, spans),
)


@given(subjects, st.none() | numbers)
def test_what_is_printed_is_read_again_with_its_revision(subject: Subject, revision: int | None) -> None:
    text = str(subject) if revision is None else f"{subject}@{revision}"
    assert parse_subject(text) == (subject, revision)


@pytest.mark.parametrize(
    "text", ["", "g", "g12@", "12", "p3", "s3@9-5", "s3@0", "g１", "g12@3@4", "g-1", "g" + "9" * 99]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UnknownSubject):
        parse_subject(text)


@given(st.text())
def test_no_text_at_all_does_any_harm(text: str) -> None:
    with suppress(UnknownSubject):
        subject, _ = parse_subject(text)
        assert text.startswith(str(subject))
