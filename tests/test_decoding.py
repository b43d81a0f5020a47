"""Bytes to characters, as browsers do it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extraction.decoding import as_browsers_show, decode

PROSE = "“We are not late,” the captain’s log says — “we are early for tomorrow.” It stood in the café. " * 20
KOREAN = "선장은 늦지 않았다고 말했다. 내일을 위해 이른 것이다. " * 20


def html(text: str, charset: str = "") -> str:
    return f"<html><head>{f'<meta charset={charset}>' if charset else ''}</head><body><p>{text}</p></body></html>"


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("iso-8859-1", "cp1252"),
        ("latin1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("windows-1252", "cp1252"),
        ("utf8", "utf-8"),
    ],
)
def test_labels_mean_what_they_mean_to_browsers(label: str, codec: str) -> None:
    body = html(PROSE).encode(codec)
    assert PROSE in decode(body, f"text/html; charset={label}").text
    assert PROSE in decode(html(PROSE, label).encode(codec), "text/html").text


@pytest.mark.parametrize("label", ["euc-kr", "ks_c_5601-1987", "cp949"])
def test_korean_labels_mean_cp949(label: str) -> None:
    text = f"{KOREAN} 똠방각하 펲시콜라"  # syllables that EUC-KR proper lacks
    assert text in decode(html(text).encode("cp949"), f"text/html; charset={label}").text


def test_a_few_bad_bytes_stay_few_and_are_counted() -> None:
    body = html(PROSE, "utf-8").encode().replace(b"tomorrow", b"tomor\x93row", 3)
    decoded = decode(body, "text/html")
    assert (decoded.encoding, decoded.bad) == ("utf-8", 3)
    assert decoded.text.count("“We are not late,”") == 20
    assert decode(html("one \ufffd of its own").encode(), "text/html; charset=utf-8").bad == 0


def test_a_declaration_that_is_wrong_for_the_whole_page_is_not_believed() -> None:
    korean = html(KOREAN).encode("cp949")
    assert KOREAN in decode(korean, "text/html; charset=utf-8").text
    assert PROSE in decode(html(PROSE, "windows-1252").encode("cp1252"), "text/html; charset=utf-8").text


def test_bytes_that_are_utf8_throughout_are_utf8_whatever_the_header_says() -> None:
    assert PROSE in decode(html(PROSE).encode(), "text/html; charset=iso-8859-1").text
    assert KOREAN in decode(html(KOREAN).encode(), "text/html; charset=euc-kr").text


def test_a_byte_order_mark_wins() -> None:
    assert PROSE in decode(b"\xef\xbb\xbf" + html(PROSE).encode(), "text/html; charset=euc-kr").text
    assert PROSE in decode(b"\xff\xfe" + html(PROSE).encode("utf-16-le"), "text/html; charset=utf-8").text


def test_what_declares_nothing_is_guessed_by_what_fits() -> None:
    for text, codec in ((PROSE, "utf-8"), (KOREAN, "utf-8"), (KOREAN, "cp949"), (PROSE, "cp1252")):
        assert text in decode(html(text).encode(codec), "").text, codec


@given(st.binary(max_size=300), st.sampled_from(["", "text/html; charset=utf-8", "text/html; charset=nonsense", "x"]))
def test_no_bytes_are_an_error(payload: bytes, content_type: str) -> None:
    assert isinstance(decode(payload, content_type).text, str)


def test_c1_controls_are_what_was_meant() -> None:
    assert as_browsers_show("\x91a\x92 \x85 \x96 \x81") == "‘a’ … – \ufffd"


@pytest.mark.parametrize("name", ["hex", "rot13", "zlib", "punycode", "idna", "undefined", "unicode_escape", "no-such"])
def test_an_encoding_that_browsers_do_not_know_counts_as_none(name: str) -> None:
    for body in (b"<p>\xe9t\xe9", f'<meta charset="{name}"><p>\xe9t\xe9'.encode("latin-1")):
        assert "été" in decode(body, f"text/html; charset={name}").text
