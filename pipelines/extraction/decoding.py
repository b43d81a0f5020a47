"""Bytes to characters as browsers do it (WHATWG): byte order mark, header, the page's own declaration, else a guess.

In one thing we know better than browsers: bytes that are UTF-8 throughout are UTF-8, whatever a header says.

The labels are w3lib's, which maps them as browsers do: `iso-8859-1`, `latin1` and `ascii` mean windows-1252, EUC-KR
means CP949. A declared encoding is believed even if some bytes do not fit it: each of these becomes U+FFFD, and the
page gets a reason. Only where it is clearly wrong for the whole page is another one tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.entities import html5

from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom

REPLACEMENT = "\ufffd"
FEW = 0.1  # of all characters beyond ASCII: with more bad ones, the declaration is wrong for the page
ALWAYS_FEW = 5  # bad characters; so many prove nothing about a page's encoding
HANGUL_SHARE = 0.5  # of the characters beyond ASCII, from which on undeclared bytes are taken for CP949
BROWSERS = re.compile(
    r"utf-(8|16|16-le|16-be)|cp(125\d|874|866|932|949)|iso8859-\d+|koi8-[ru]|mac-(roman|cyrillic)|gb(k|18030)"
    r"|big5(hkscs)?|euc_(jp|kr)|shift_jis|iso2022_jp"
)  # Python's names of what browsers know; its other codecs are no encodings of pages (`hex`, `punycode`)
_C1 = re.compile("[\x80-\x9f]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_ENTITY = re.compile(r"&(#\d{2,6};|#x[0-9a-fA-F]{2,6};|[A-Za-z]\w{1,30};)")
_TRAIL = "\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"  # how the later bytes of UTF-8 look in windows-1252
_MOJIBAKE = re.compile(f"â€|ï»¿|[ÃÂ][{_TRAIL}]|[ìíëê][{_TRAIL}]{{2}}")  # quotation marks, accents, Hangul read so
_HANGUL = re.compile(r"[\uac00-\ud7a3]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page's characters, by which encoding, and how many of its bytes were not characters of it."""

    text: str
    encoding: str
    bad: int = 0


def decode(payload: bytes, content_type: str) -> Decoded:
    """Return the characters of a page; `content_type` is its HTTP header. Never raises.

    >>> decode(b"\\xe9t\\xe9", "text/html; charset=iso-8859-1").text
    'été'
    >>> decode("배".encode("euc-kr"), "text/html; charset=euc-kr").text
    '배'
    """
    marked, mark = read_bom(payload)
    if marked and mark:
        return _decoded(payload[len(mark) :], marked)
    unicode = _decoded(payload, "utf-8")
    if unicode.bad == 0 and _BEYOND_ASCII.search(unicode.text):  # other encodings never look like this by chance
        return unicode
    in_header = http_content_type_encoding(content_type)
    in_page = html_body_declared_encoding(payload)
    if in_page and in_page.startswith("utf-16"):  # it was read as ASCII, so it is not UTF-16
        in_page = "utf-8"
    declared = [name for name in dict.fromkeys((in_header, in_page)) if name and BROWSERS.fullmatch(name)]
    for name in declared:
        decoded = unicode if name == "utf-8" else _decoded(payload, name)
        if _few(decoded):
            return decoded
    guessed = _guess(payload, unicode)
    return guessed if not declared or guessed.bad == 0 else _decoded(payload, declared[0])


def _decoded(payload: bytes, encoding: str) -> Decoded:
    text = payload.decode(encoding, "replace")
    bad = text.count(REPLACEMENT)
    if bad and encoding == "utf-8":
        bad -= payload.count(REPLACEMENT.encode())  # written so by the page itself
    return Decoded(text, encoding, bad)


def _few(decoded: Decoded) -> bool:
    return decoded.bad <= max(ALWAYS_FEW, FEW * len(_BEYOND_ASCII.findall(decoded.text)))


def _guess(payload: bytes, unicode: Decoded) -> Decoded:
    """Return undeclared bytes as UTF-8 if they are that, as CP949 if that gives Hangul, else as windows-1252."""
    if unicode.bad == 0:
        return unicode
    korean = _decoded(payload, "cp949")
    beyond = len(_BEYOND_ASCII.findall(korean.text))
    if korean.bad == 0 and len(_HANGUL.findall(korean.text)) >= HANGUL_SHARE * beyond:
        return korean
    return _decoded(payload, "cp1252")


def smells(text: str) -> list[str]:
    """Return the reasons to doubt that a text was decoded right: codes, in a fixed order.

    >>> smells("It\u00e2\u20ac\u2122s fine"), smells("\ufffd"), smells("A &rsquo; too many, AT&T; and R&D")
    (['mojibake'], ['bad_bytes'], ['entity_in_text'])
    """
    found = {
        "bad_bytes": REPLACEMENT in text,
        "mojibake": bool(_MOJIBAKE.search(text)),
        "entity_in_text": any(name.startswith("#") or name in html5 for name in _ENTITY.findall(text)),
    }
    return [reason for reason, holds in found.items() if holds]


def as_browsers_show(text: str) -> str:
    """Return text whose C1 control characters are what was meant: windows-1252, as browsers read numeric references.

    >>> as_browsers_show("We are \\x93late\\x94")
    'We are “late”'
    """
    return _C1.sub(lambda found: found[0].encode("latin-1").decode("cp1252", "replace"), text)
