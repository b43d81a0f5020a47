"""One op-ed, all its places: every family of copies that occurs, and what only looks like one."""

import json
from collections.abc import Callable

import pytest

from newsstand import pages
from newsstand.server import parse_clock
from newsstand.world import build
from pipelines.archive.store import open_store
from pipelines.catalogue.publish import publish
from pipelines.catalogue.queries import query_table
from pipelines.index.opened import Archive
from pipelines.model import Capture, Verdict
from pipelines.settings import Settings
from tests.conftest import C_URL, Command, World, capture, listed, minutes, page, prose, take_in, versions_of
from tests.test_ingest import daum_page

JOINS = "https://koreajoongangdaily.joins.com"
KOREAN = [
    "여객선은 약속이 아니다. 섬마을 주민들은 겨울마다 배를 기다렸다. " * 4,
    "이제라도 늦지 않다. 배를 띄워라. " * 6,
]


def straight(text: str) -> str:
    return text.translate(str.maketrans("‘’“”", "''\"\""))


def naver(text: list[str], headline: str = "Ferries at Naver") -> bytes:
    body = "<br><br>".join(text)
    return (
        f"<html><head><meta charset='utf-8'><title>{headline}</title>"
        f"<meta property='og:article:author' content='코리아중앙데일리 | 네이버'></head><body>"
        f"<h2 id='title_area'>{headline}</h2><span class='_ARTICLE_DATE_TIME'>2024.06.14. 20:19</span>"
        f"<article id='dic_area'>{body}</article></body></html>"
    ).encode()


def yonhap(text: list[str]) -> bytes:
    title = "(EDITORIAL from Korea JoongAng Daily on June 14)"
    body = "".join(f"<p>{straight(line)}</p>" for line in ["A ferry is not a promise", *text])
    return (
        f"<html><head><meta charset='utf-8'><title>{title}</title>"
        f"<meta property='og:title' content='{title}'></head><body><h1 class='tit'>{title}</h1>"
        f"<p class='update-time'>07:00 June 14, 2024</p><article class='story-news article'>{body}</article>"
    ).encode()


ONE = [f"“So it is,” they said, and {line}" for line in prose(1)]
PLACES: dict[str, Callable[[], Capture]] = {
    "kjd-c2068163": lambda: capture(page(ONE), "2024-06-14T00:00:00"),
    "kjd-c2068164": lambda: capture(
        page([*ONE, *KOREAN], headline="A ferry is not a promise (KOR)"), "2024-06-14T00:00:01", f"{C_URL[:-1]}4"
    ),
    "kjd-d12790001": lambda: capture(
        page([*ONE[:-1], ONE[-1] + " Now."], date="14 Jun. 2024, 20:09"),
        "2024-06-20T00:00:00",
        "https://www.koreajoongangdaily.com/opinion/a-ferry/12790001",
    ),
    "daum-20240613230000001": lambda: capture(
        daum_page(ONE), "2024-06-14T01:00:00", "https://v.daum.net/v/20240613230000001"
    ),
    "naver-640-0000057385": lambda: capture(
        naver([straight(line) for line in ONE]),
        "2024-06-15T00:00:00",
        "https://n.news.naver.com/mnews/article/640/0000057385",
    ),
    "yna-AEN20240614000800325": lambda: capture(
        yonhap(ONE), "2024-06-15T00:00:00", "https://en.yna.co.kr/view/AEN20240614000800325"
    ),
}


def test_one_oped_in_six_places_is_one_oped(archive: Archive, folder: Settings) -> None:
    for made in PLACES.values():
        take_in(archive, made())
    publish(archive, folder)
    (oped,) = listed(folder)
    assert oped["oped_id"] == "kjd-c2068163", "the newspaper's own earliest"
    assert len(oped["places"]) == len(PLACES)
    assert all(versions_of(folder, article_id)[1][0]["article_id"] == "kjd-c2068163" for article_id in PLACES)
    (row,) = query_table(folder, "articles", "SELECT matches FROM t WHERE article_id = 'naver-640-0000057385'")
    told = {match["article_id"]: match for match in row["matches"]}
    assert told["kjd-c2068163"]["relation"] == "same"
    assert told["kjd-c2068163"]["method"] == "w3-tenths/2"


def test_a_new_primary_takes_over_and_the_old_id_goes_on_resolving(archive: Archive, folder: Settings) -> None:
    for name in reversed(PLACES):
        take_in(archive, PLACES[name]())
        publish(archive, folder)
    (oped,) = listed(folder)
    assert oped["oped_id"] == "kjd-c2068163"
    for former in PLACES:
        assert versions_of(folder, former)[1][0]["article_id"] == "kjd-c2068163"


def test_what_only_looks_like_a_copy_stays_apart(archive: Archive, folder: Settings) -> None:
    two = prose(2)
    roundup = [*prose(1, 10), *prose(5, 10)]
    letter = ["I read your editorial twice.", prose(1, 10)[2], "I do not agree, and here is why.", *prose(7, 3)]
    take_in(
        archive,
        capture(page(prose(1, 10)), "2024-06-14T00:00:00", f"{C_URL[:-1]}1"),
        capture(page(two, date="14 Jun. 2024, 20:09"), "2024-06-15T00:00:00", f"{C_URL[:-1]}2"),
        capture(page(roundup, date="20 Jun. 2024, 20:09"), "2024-06-21T00:00:00", f"{C_URL[:-1]}3"),
        capture(page(letter, date="21 Jun. 2024, 20:09"), "2024-06-22T00:00:00", f"{C_URL[:-1]}4"),
    )
    publish(archive, folder)
    assert len(listed(folder)) == 4
    rows = query_table(folder, "articles", "SELECT article_id, matches FROM t")
    told = {row["article_id"][-1]: {m["article_id"][-1]: m["relation"] for m in row["matches"] or ()} for row in rows}
    assert told["3"]["1"] == "contains"
    assert told["4"] == {"1": "quotes", "3": "quotes"}


def test_korean_is_compared_with_korean(archive: Archive, folder: Settings) -> None:
    other = prose(8)
    told = take_in(
        archive,
        capture(page([*prose(1), *KOREAN]), "2024-06-14T00:00:00", f"{C_URL[:-1]}1"),
        capture(page([*other, *KOREAN], date="14 Jun. 2024, 20:09"), "2024-06-15T00:00:00", f"{C_URL[:-1]}2"),
    )
    publish(archive, folder)
    assert [outcome.verdict for outcome in told] == [Verdict.NEW, Verdict.NEW]
    assert len(listed(folder)) == 2, "the English text decides where both have one"


@pytest.mark.parametrize("words", [30, 60, 95])
def test_short_letters_are_joined_only_when_nearly_all_is_the_same(
    words: int, archive: Archive, folder: Settings
) -> None:
    letter = [" ".join(prose(1, 3)).split()[:words]]
    text = [" ".join(letter[0])]
    near = [" ".join([*letter[0][: words // 2], *" ".join(prose(9, 3)).split()[: words // 2]])]
    take_in(
        archive,
        capture(page(text), "2024-06-14T00:00:00", f"{C_URL[:-1]}1".replace("editorials", "letters")),
        capture(
            page(text, date="14 Jun. 2024, 20:09"),
            "2024-06-15T00:00:00",
            f"{C_URL[:-1]}2".replace("editorials", "letters"),
        ),
        capture(
            page(near, date="15 Jun. 2024, 20:09"),
            "2024-06-16T00:00:00",
            f"{C_URL[:-1]}3".replace("editorials", "letters"),
        ),
    )
    publish(archive, folder)
    rows = query_table(folder, "articles", "SELECT article_id, oped_id FROM t ORDER BY article_id")
    groups = [row["oped_id"][-1] for row in rows]
    assert groups[:2] == ["1", "1"]
    assert words > 60 or groups[2] == "3"


WORLD = build()
BEFORE, AFTER = parse_clock("2026-05-01T00:00"), parse_clock("2026-07-20")


@pytest.mark.parametrize("kind", ["sentence", "headline", "note"])
def test_each_correction_is_one_new_version_of_the_right_kind(kind: str, archive: Archive, folder: Settings) -> None:
    corrected = [oped for oped in WORLD.opeds if oped.correction == kind]
    assert corrected
    for oped in corrected:
        url = f"{JOINS}{pages.c_path(oped)}"
        looks = [(BEFORE, "2026-08-01"), (BEFORE, "2026-08-02"), (AFTER, "2026-08-03"), (AFTER, "2026-08-04")]
        told = take_in(
            archive,
            *(capture(pages.article_c(oped, clock).encode(), f"{day}T00:00:00", url) for clock, day in looks),
        )
        assert [o.verdict for o in told] == [Verdict.NEW, Verdict.UNCHANGED, Verdict.REVISED, Verdict.UNCHANGED]
    publish(archive, folder)
    kinds = {
        row["kind_of_change"] for row in query_table(folder, "articles", "SELECT kind_of_change FROM t WHERE is_latest")
    }
    wanted = {
        "sentence": {"text_changed", "text_added", "text_removed"},
        "headline": {"headline"},
        "note": {"text_changed+correction_note", "text_added+correction_note", "correction_note"},
    }
    assert kinds <= wanted[kind], kinds


@pytest.mark.long
@minutes
def test_an_unchanged_week_five_times_over_adds_no_record_though_pages_differ(
    opeds: Command, newsstand: World, folder: Settings
) -> None:
    week = ("--since", "2026-06-04", "--until", "2026-06-07")
    opeds("run", *week, settings=folder)
    records = set(open_store(folder).keys("articles/"))
    newsstand.stand.stand.fault("restless")  # other advertising and lists at every look
    for _ in range(4):
        ran = opeds("run", *week, "--json", settings=folder)
        told = [json.loads(line) for line in ran.out.splitlines() if '"verdict"' in line]
        assert {outcome["verdict"] for outcome in told} == {"UNCHANGED"}
    assert set(open_store(folder).keys("articles/")) == records


@pytest.mark.parametrize("at_once", [32, 16])
def test_an_op_ed_with_many_places_in_one_part_is_grouped_as_one_after_another(archive: Archive, at_once: int) -> None:
    """What more than thirty groups share is template; the places of one op-ed must not become that to each other."""
    places = [C_URL.replace("2068163", str(2068163 + n)) for n in range(32)]
    captures = [capture(page(prose(1)), f"2024-06-14T00:00:{n:02d}", url) for n, url in enumerate(places)]
    for start in range(0, 32, at_once):
        take_in(archive, *captures[start : start + at_once])
    groups = {member.oped_id for member in archive.index.members().values()}
    assert len(groups) == (3 if at_once == 32 else 1)
