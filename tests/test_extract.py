"""From a page to the article a reader would see."""

import json
from datetime import UTC, datetime

import pytest

from newsstand import pages
from newsstand.server import parse_clock
from newsstand.world import DAYS, SEOUL, Oped, build
from pipelines.archive.record import record, to_json
from pipelines.extraction.extract import extract
from pipelines.model import Article, Capture, Status
from pipelines.sources.addresses import Place, place_of
from pipelines.versions import content_sha256
from tests.conftest import A_URL, C_URL, SEED_PAGE, SOURCES, capture, page, prose

END = parse_clock("2026-07-01")
WORLD = build()


def read(one: Capture) -> Article:
    return extract(one, place(one.url))


def place(url: str) -> Place:
    found = place_of(url, SOURCES.values())
    assert found
    return found


def plain(lines: tuple[str, ...]) -> list[str]:
    return [" ".join(line.split()) for line in lines]


@pytest.mark.skipif(not SEED_PAGE.exists(), reason="the seed page of ../shared is not here")
def test_the_seed_page_is_read_whole_and_clean() -> None:
    article = read(capture(SEED_PAGE.read_bytes(), "2026-11-01T00:00:00", "https://v.daum.net/v/20240626200145724"))
    paragraphs = article.text.split("\n\n")
    noisy = SEED_PAGE.with_suffix(".noisy.txt").read_text().splitlines()
    body = [line for line in noisy[3:12] if not line.endswith("[AP/YONHAP]")]
    assert article.status is Status.OK
    assert len(paragraphs) == 8
    assert paragraphs[0].startswith("South Korea and Russia continue")
    assert paragraphs[1:] == [line.strip() for line in body[1:]]
    chrome = [line for line in noisy if line not in body and not line.startswith("Chung")]
    assert not [line for line in chrome if line in article.text]
    assert [(a.name, a.bio) for a in article.authors] == [
        ("Chung Jae-hong", "The author is an international, diplomatic and security news editor of the JoongAng Ilbo.")
    ]
    assert len(article.captions) == 1
    assert article.captions[0].endswith("June 19, 2024. [AP/YONHAP]")
    assert article.published_at is not None
    assert article.published_at.isoformat() == "2024-06-26T20:01:45+09:00"
    assert article.publisher == "Korea JoongAng Daily"


@pytest.mark.skipif(not SEED_PAGE.exists(), reason="the seed page of ../shared is not here")
def test_trafilatura_alone_still_fails_on_the_seed_page() -> None:
    import trafilatura

    noisy = SEED_PAGE.with_suffix(".noisy.txt").read_text()
    assert trafilatura.extract(SEED_PAGE.read_text(), include_comments=False).strip() == noisy.strip()


@pytest.mark.parametrize("dress", ["c", "d", "daum"])
def test_every_invented_oped_comes_back_as_it_was_written(dress: str) -> None:
    assert len(WORLD.opeds) >= 120
    assert DAYS == 60
    wrong = [f"{oped.number}: {why}" for oped in WORLD.opeds if (why := compared(oped, dress))]
    assert not wrong


def compared(oped: Oped, dress: str) -> str:
    """Return what a reading of an op-ed in one dress has wrong, or an empty string."""
    if dress == "daum" and not oped.daum_at:
        return ""
    body, url = {
        "c": lambda: (pages.article_c(oped, END), f"https://{pages.JOINS}{pages.c_path(oped)}"),
        "d": lambda: (pages.article_d(oped, END), pages.d_url(oped)),
        "daum": lambda: (pages.article_daum(oped), pages.daum_url(oped)),
    }[dress]()
    article = read(capture(body.encode(), "2026-07-01T00:00:00", url))
    headline, paragraphs, note = oped.shown(END) if dress != "daum" else (oped.headline, oped.paragraphs, "")
    moment = oped.daum_at if dress == "daum" else oped.published
    pairs: dict[str, tuple[object, object]] = {
        "text": (article.text.split("\n\n"), plain(paragraphs)),
        "korean": (article.text_ko, "" if dress == "daum" else "\n\n".join(plain(oped.korean))),
        "headline": (article.headline.replace("’", "'"), headline.replace("’", "'")),
        "authors": ([(a.name, a.bio) for a in article.authors], [(oped.writer, oped.bio)] if oped.writer else []),
        "published": (article.published_at, moment),
        "caption": (list(article.captions), [oped.caption] if oped.caption else []),
        "note": (article.correction_note, note),
        "status": (article.status, Status.REVIEW if dress == "daum" and not oped.writer else Status.OK),
        "kind": (article.kind, "unknown" if dress == "daum" and not oped.writer else oped.kind),
    }
    return "; ".join(f"{name}: {got!r} for {wanted!r}" for name, (got, wanted) in pairs.items() if got != wanted)


def test_the_drawer_of_old_pages_is_read_too() -> None:
    for old in WORLD.drawer:
        article = read(capture(pages.page_old(old).encode(), "2026-07-01T00:00:00", f"https://{pages.JOINS}{old.path}"))
        assert article.text.split("\n\n") == plain(old.paragraphs), old.path
        assert article.text_ko.split("\n\n") == (plain(old.korean) if old.korean else [""]), old.path
        assert article.published_at == old.published.replace(second=0), "the page tells no seconds"
        assert article.status is Status.OK


def test_a_paragraph_that_begins_like_a_bio_stays() -> None:
    lines = prose(1)
    lines[2] = "The author is not the ferry’s captain, and nobody on the island ever thought that he was one."
    article = read(capture(page(lines, author="Han Seo-yul"), "2024-06-14T00:00:00"))
    assert article.text.split("\n\n") == lines
    assert article.authors[0].name == "Han Seo-yul"


def test_notes_at_the_end_go_to_their_fields() -> None:
    lines = prose(2)
    tail = ["Translation by the Korea JoongAng Daily staff.", "JoongAng Ilbo, Dec. 20, Page 34", "desk@example.org"]
    article = read(capture(page([*lines, *tail]), "2024-06-14T00:00:00"))
    assert article.text.split("\n\n") == lines
    assert (article.translator_note, article.print_edition, article.emails) == (tail[0], tail[1], (tail[2],))


def test_list_items_subheads_and_quotations_are_paragraphs() -> None:
    more = (
        b"<h3>A subhead</h3><ul><li>One thing</li><li>Two</li></ul><blockquote>Said so</blockquote>"
        b"<div><div><p>It also <a href='#'>sank again</a>.</p></div></div></div>"
    )
    body = page(prose(3)).replace(b"</div>", more, 1)
    article = read(capture(body, "2024-06-14T00:00:00"))
    assert article.text.split("\n\n")[6:] == ["A subhead", "One thing", "Two", "Said so", "It also sank again."]


def test_a_page_without_a_date_gets_none_though_it_names_years() -> None:
    body = page(prose(4), date="soon", after="<footer>Copyright 2019</footer>")
    body = body.replace(b"article_body", b"articlebody")
    article = read(capture(body, "2024-06-14T00:00:00", A_URL))
    assert (article.published_at, article.published_day, article.published_precision) == (None, None, "none")
    assert article.status is Status.REVIEW
    assert "no_date" in article.reasons


def test_a_layout_nobody_knows_is_drift_with_the_generic_text() -> None:
    body = page(prose(5)).replace(b"article_body", b"something-else")
    article = read(capture(body, "2024-06-14T00:00:00"))
    assert article.status is Status.DRIFT
    assert prose(5)[0] in article.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"\x00" * 500,
        b"<html>",
        b"\xff\xfe\x00garbage",
        b"<div>" * 5000 + b"deep",
        b"{}",
        b"<!--",
        b"a" * 11_000_000,
    ],
)
def test_broken_pages_are_rejected_without_an_error(body: bytes) -> None:
    assert read(capture(body, "2024-06-14T00:00:00")).status in {Status.REJECT, Status.DRIFT}


def test_euc_kr_is_read_when_only_the_page_says_so() -> None:
    lines = [
        "여객선은 약속이 아니다. 섬마을 주민들은 겨울마다 배를 기다렸다. " * 3 + f"그리고 {n}번째 겨울이 왔다."
        for n in range(6)
    ]
    body = page(lines).decode().replace("charset='utf-8'", "charset='euc-kr'").encode("euc-kr", "xmlcharrefreplace")
    article = read(Capture(C_URL, datetime(2024, 6, 14, tzinfo=UTC), 200, (("Content-Type", "text/html"),), body))
    assert article.text_ko.split("\n\n") == lines


def test_the_same_capture_gives_the_same_bytes_in_any_order() -> None:
    captures = [capture(page(prose(n)), "2024-06-14T00:00:00", f"{C_URL[:-7]}{2068163 + n}") for n in range(20)]

    def made(one: Capture) -> bytes:
        from pipelines.extraction.extract import rules_of

        where = place(one.url)
        return to_json(record(extract(one, where), where, one, "k", rules_of(where.source)))

    first = [made(one) for one in captures]
    assert [made(one) for one in reversed(captures)] == first[::-1]
    assert json.loads(first[0])["schema"] == "opeds/article/2"


def test_a_version_changes_only_when_a_reader_would_notice() -> None:
    lines = prose(6)
    before = content_sha256(read(capture(page(lines, headline="It’s “done” — now"), "2024-06-14T00:00:00")))
    dressed = page(lines, headline='It\'s "done" - now', after="<aside>Advertisement</aside>").replace(
        b"<p>", b"<p class='x'> \n "
    )
    assert content_sha256(read(capture(dressed, "2024-06-15T00:00:00"))) == before
    changed = page([*lines[:-1], lines[-1] + " Really."], headline="It’s “done” — now")
    assert content_sha256(read(capture(changed, "2024-06-15T00:00:00"))) != before


def test_midnight_in_seoul_is_another_day_than_in_utc() -> None:
    late = next(o for o in WORLD.opeds if o.published.hour == 0)
    assert late.published.astimezone(UTC).date() < late.published.astimezone(SEOUL).date()


SENTENCES = "The pier was closed at noon, and nobody said why. The boats went out all the same, as they always had."


@pytest.mark.parametrize(
    "markup",
    [
        "<p hidden>Skip to the comments</p>",
        "<p style='display: none'>Advertisement</p>",
        "<span class='sr-only'>Opens in a new window</span>",
        "<blockquote class='twitter-tweet'><p>A post by somebody else. And a second sentence.</p></blockquote>",
        "<amp-video><p placeholder>The video is being loaded</p></amp-video>",
    ],
)
def test_what_a_reader_does_not_see_and_the_posts_of_others_are_no_text(markup: str) -> None:
    article = read(capture(page([*prose(1), markup, *prose(2)]), "2024-06-14T00:00:00"))
    assert plain(tuple(article.text.split("\n\n"))) == [*prose(1), *prose(2)]


def test_hidden_prose_stays_because_it_may_be_shown_later() -> None:
    article = read(capture(page([*prose(1), f"<div hidden>{SENTENCES}</div>"]), "2024-06-14T00:00:00"))
    assert SENTENCES in article.text


@pytest.mark.parametrize("slot", ["<ins class='adsbygoogle'>", "<ins data-ad-slot='1'>", "<div class='artAd'>"])
def test_an_advertisement_that_was_never_closed_swallows_nothing(slot: str) -> None:
    inside = slot + "".join(f"<p>{SENTENCES} {n}.</p>" for n in range(3))
    article = read(capture(page([*prose(1), inside]), "2024-06-14T00:00:00"))
    assert article.text.count("The pier was closed") == 3


def test_one_paragraph_of_prose_in_furniture_is_a_doubt() -> None:
    body = page([*prose(1), f"<div class='artAd'>{SENTENCES}</div>"])
    article = read(capture(body, "2024-06-14T00:00:00"))
    assert article.status is Status.REVIEW
    assert article.reasons == ("prose_removed",)


@pytest.mark.parametrize("sign", ["&#xFFFE;", "&#xFFFF;", "&#xFDD0;", "\ufffe", "&#0;", "&#11;", "&#xD800;"])
def test_what_is_no_character_costs_no_op_ed(sign: str) -> None:
    text = prose(1)
    body = page([f"{text[0][:20]}{sign}{text[0][20:]}", *text[1:]])
    article = read(capture(body, "2024-06-14T00:00:00"))
    assert article.status.value == "ok" or not [r for r in article.reasons if r.startswith("unforeseen")]
    assert article.text.split("\n\n")[1:] == text[1:]
