"""The replica's markup, era by era; every selector and string of furniture follows docs/sources.md."""

from __future__ import annotations

import json
from datetime import datetime
from html import escape

from .world import OldPage, Oped, slug

JOINS, WWW, IMAGE, DAUM = (
    "koreajoongangdaily.joins.com",
    "www.koreajoongangdaily.com",
    "image.koreajoongangdaily.com",
    "v.daum.net",
)
COPYRIGHT_LINE = "Copyright © 코리아중앙데일리. 무단전재 및 재배포 금지."
MONTH_NAMES = ["Jan.", "Feb.", "Mar.", "Apr.", "May", "Jun.", "Jul.", "Aug.", "Sep.", "Oct.", "Nov.", "Dec."]
COMMENTS = "<div class='comment'><p>To write comments, please log in to one of the accounts.</p><p>Standards Board Policy (0/250자)</p></div>"
WIDGET = (
    "<div class='util_view'><strong class='tit_layer'>글자크기 설정</strong><span>파란원을 좌우로 움직이시면 글자크기가 변경 됩니다.</span>"
    "<div class='set_view fs_type1'><p>이 글자크기로 변경됩니다.</p><p>(예시) 새 소식을 한자리에서 전해 드립니다.</p></div></div>"
)


def c_path(oped: Oped) -> str:
    """Return an op-ed's path in era C."""
    return f"/news/{oped.published:%Y-%m-%d}/opinion/{oped.section}/{slug(oped.headline)}/{oped.cid}"


def d_path(oped: Oped) -> str:
    """Return an op-ed's path in era D."""
    return f"/opinion/{slug(oped.headline, lower=True)}/{oped.did}"


def d_url(oped: Oped) -> str:
    """Return an op-ed's address since the move."""
    return f"https://{WWW}{d_path(oped)}"


def daum_url(oped: Oped) -> str:
    """Return an op-ed's address on the portal."""
    return f"https://{DAUM}/v/{oped.daum_id()}"


def _html(title: str, body: str, head: str = "", lang: str = "en") -> str:
    return (
        f"<!DOCTYPE html><html lang='{lang}'><head><meta charset='utf-8'><title>{escape(title)}</title>{head}</head>"
        f"<body>{body}</body></html>"
    )


def _when(moment: datetime) -> str:
    return f"{moment.day} {MONTH_NAMES[moment.month - 1]} {moment.year}, {moment:%H:%M}"


def _p(lines: tuple[str, ...], attributes: str = "") -> list[str]:
    return [f"<p{attributes}>{escape(line, quote=False)}</p>" for line in lines]


def _byline(oped: Oped) -> list[str]:
    return _p((oped.writer, oped.bio)) if oped.writer else []


def article_c(oped: Oped, clock: datetime) -> str:
    """Return an op-ed as era C showed it."""
    headline, paragraphs, note = oped.shown(clock)
    blocks = _p(paragraphs)
    photo = (
        f"<div class='ab_photo'><img src='https://{JOINS}/data/photo/{oped.did}.jpg' alt=''>"
        f"<p class='caption'>{escape(oped.caption, quote=False)}</p></div>"
    )
    blocks.insert(2, "<div class='artAd'>AD</div>")
    if oped.caption:
        blocks.insert(1, photo)
    if oped.number % 5 == 0:  # some paragraphs are bare divs
        blocks[-1] = blocks[-1].replace("<p>", "<div>").replace("</p>", "</div>")
    korean = [f"<div id='language'>{''.join(_p(oped.korean))}</div>"] if oped.korean else []
    tail = _p((note,)) if note else []
    updated = (
        f"<span class='article-update-date'>Updated: {_when(oped.corrected_at)}</span>"
        if note and oped.corrected_at
        else ""
    )
    body = (
        f"<div class='breadcrumb'>Home &gt; Opinion &gt; {oped.section.title()}</div>"
        f"<a class='article-publish-date'>Published: {_when(oped.published)}</a>{updated}"
        "<div class='tools'>print dictionary print</div>"
        f"<div id='article_body'><h1 class='view-article-title serif'>{escape(headline, quote=False)}</h1>"
        f"{''.join(_byline(oped) + blocks + tail + korean)}</div>{COMMENTS}"
        f"<ul class='most'>{''.join(f'<li><a href=#>{escape(text)}</a></li>' for text in oped.related[:5])}</ul>"
    )
    return _html(f"{headline} - Korea JoongAng Daily", body)


def article_d(oped: Oped, clock: datetime) -> str:
    """Return an op-ed as the new domain shows it; its markup is ours, the real one has not been seen."""
    headline, paragraphs, note = oped.shown(clock)
    linked = {
        "@context": "https://schema.org",
        "@type": "OpinionNewsArticle",
        "headline": headline,
        "datePublished": oped.published.isoformat(),
        "author": [{"@type": "Person", "name": oped.writer}]
        if oped.writer
        else {"@type": "Organization", "name": "Korea JoongAng Daily"},
    }
    head = (
        f"<script type='application/ld+json'>{json.dumps(linked, ensure_ascii=False)}</script>"
        f"<meta property='og:title' content='{escape(headline)}'><link rel='canonical' href='{d_url(oped)}'>"
    )
    figure = (
        f"<figure><img src='https://{IMAGE}/{int(oped.did) + 3}.webp?width=1200&amp;height=630' alt=''>"
        f"<figcaption>{escape(oped.caption, quote=False)}</figcaption></figure>"
        if oped.caption
        else ""
    )
    blocks = _p(paragraphs)
    blocks.insert(1, f"{figure}<div class='ad'>Advertisement</div>")
    korean = _p(oped.korean)
    body = (
        f"<nav><a href='/opinion'>Opinion</a></nav><span class='article-section'>{oped.kind.title()}</span>"
        f"<h1 class='article-title'>{escape(headline, quote=False)}</h1>"
        f"<time class='published' datetime='{oped.published.isoformat()}'>{_when(oped.published)}</time>"
        f"<div class='article-body'>{''.join(_byline(oped) + blocks + (_p((note,)) if note else []) + korean)}"
        "<div class='share'>Share this article</div></div>"
    )
    return _html(f"{headline} | Korea JoongAng Daily", body, head)


def article_daum(oped: Oped) -> str:
    """Return an op-ed as the portal shows it: its own furniture, the deck, byline and bio glued to the text."""
    assert oped.daum_at
    first, *rest = oped.paragraphs
    glued = f"{oped.writer}{oped.bio} {first}" if oped.writer and oped.number % 2 else first
    lead = [] if glued != first else _byline(oped)
    blocks = [b.replace("<p", "<p dmcf-ptype='general'", 1) for b in lead + _p((glued, *rest))]
    if oped.caption:
        plain = oped.number % 3 == 0
        caption = "" if plain else f"<figcaption class='txt_caption'>{escape(oped.caption, quote=False)}</figcaption>"
        blocks.insert(
            len(lead) + 1,
            f"<figure class='figure_frm' dmcf-ptype='figure'><p class='link_figure'><img class='thumb_g_article' "
            f"alt='{escape(oped.caption)}' data-org-src='https://t1.daumcdn.net/news/{oped.did}.jpg'></p>{caption}</figure>"
            + (f"<p dmcf-ptype='general'>{escape(oped.caption, quote=False)}</p>" if plain else ""),
        )
        if oped.number % 2:  # blocks after a figure are often bare divs
            blocks[-1] = blocks[-1].replace("<p ", "<div ", 1).replace("</p>", "</div>")
    blocks.insert(2, "<div class='ad_body2' id='kakao_ad_1'><ins data-ad-unit='x'></ins></div>")
    section = f"<section dmcf-sid='{oped.did}'>{''.join(blocks)}</section>"
    related = "<br>".join(f"- {escape(text, quote=False)}" for text in oped.related)
    deck = f"<strong class='summary_view'>{escape(oped.deck, quote=False)}</strong>" if oped.number % 4 == 0 else ""
    return _daum(oped.headline, oped.daum_id(), oped.daum_at, f"{deck}{section}", f"<p>{related}</p>", daum_url(oped))


def article_news(native: str, moment: datetime, headline: str, text: tuple[str, ...]) -> str:
    """Return a piece of news on the portal."""
    body = f"<section>{''.join(_p(text, ' dmcf-ptype=general'))}</section>"
    return _daum(headline, native, moment, body, "", f"https://{DAUM}/v/{native}")


def _daum(headline: str, native: str, moment: datetime, body: str, related: str, url: str) -> str:
    title = headline.replace("’", "'") if int(native) % 2 else headline
    metas = {
        "og:site_name": "다음 - 코리아중앙데일리",
        "og:title": title,
        "og:regDate": native[:14],
        "og:type": "article",
        "og:article:author": "코리아중앙데일리",
        "og:url": url,
    }
    head = "".join(f"<meta property='{name}' content='{escape(value)}'>" for name, value in metas.items())
    date = f"{moment.year}. {moment.month}. {moment.day}. {moment:%H:%M}"
    content = (
        "<h1 class='doc-title'><a href='/'><img alt='Daum'></a></h1><nav><ul><li>사회</li><li>정치</li></ul></nav>"
        f"<article><div class='head_view'><h3 class='tit_view'>{escape(title, quote=False)}</h3>"
        f"<div class='info_view'><span class='txt_info'>입력 <span class='num_date'>{date}</span></span></div>{WIDGET}</div>"
        f"<div class='news_view fs_type1'><div id='layerTranslateNotice'></div><div class='article_view'>{body}</div>"
        f"<p class='txt_copyright' data-translation='true'>{COPYRIGHT_LINE}</p>{related}</div></article><footer>타임톡과 댓글</footer>"
    )
    return _html(title, content, head, lang="ko")


def page_old(old: OldPage) -> str:
    """Return a page of the drawer."""
    head = escape(old.headline, quote=False)
    if old.era == "a":
        text = "<br><br>".join(escape(line, quote=False) for line in old.paragraphs)
        korean = f"<div id='language'>{'<br><br>'.join(old.korean)}</div>" if old.korean else ""
        body = (
            f"<div id='gnb_banner'>banner</div><div id='articletitle'><h3 id='sTitle_a'>{head}</h3></div>"
            f"<span class='date'>{_when(old.published).replace(',', ',')}</span><div id='articlebody'>{text}"
            f"<div class='article_middle_ad'>AD</div><br><br>JoongAng Ilbo, {old.published:%b}. {old.published.day}, Page 34{korean}</div>"
        )
        return _html(old.headline, body)
    body = (
        f"<div class='breadcrumb'>Home &gt; Opinion &gt; Editorials</div><a class='article-publish-date'>Published: {_when(old.published)}</a>"
        f"<div id='article_body'><h1 class='view-article-title serif'>{head}</h1>{''.join(_p((*old.paragraphs, *old.korean)))}</div>{COMMENTS}"
    )
    return _html(f"{old.headline} - Korea JoongAng Daily", body)


def list_a(items: list[OldPage], page: int, pages: int) -> str:
    """Return a page of era A's list."""
    rows = "".join(
        f"<li><a class='title_cr' href='../article/article.aspx?aid={o.aid}'>{escape(o.headline, quote=False)}</a>"
        f"<span class='date'>{o.published:%b} {o.published.day},{o.published.year}</span></li>"
        for o in items
    )
    pager = "".join(f"<a class='pg' href='?gCat=010101&pgi={n}'>{n}</a>" for n in range(1, pages + 1))
    return _html("Editorials", f"<ul>{rows}</ul><div id='paginate'>{pager}</div>")


def list_c(items: list[Oped], page: int) -> str:
    """Return a page of a section list of era C, with dates in both known forms."""
    rows = "".join(
        f"<div class='mid-article3'><a class='media' href='{c_path(o)}'><img src='x.jpg'>"
        f"<span class='mid-article-title3'>{escape(o.headline, quote=False)}</span>"
        f"<span class='media-date'>{_list_date(o, n)}</span></a><p class='mid-article-content3'>{escape(o.deck, quote=False)}</p></div>"
        for n, o in enumerate(items)
    )
    return _html("Opinion", f"<div id='main-second-content'>{rows}</div><button class='service-more-btn'>more</button>")


def _list_date(oped: Oped, at: int) -> str:
    if at % 2:
        return f"{MONTH_NAMES[oped.published.month - 1]} {oped.published.day}, {oped.published.year}"
    return f"{oped.published:%Y-%m-%d}"


def list_d(items: list[Oped]) -> str:
    """Return a page of the new domain's list."""
    rows = "".join(
        f"<li class='story'><a href='{d_path(o)}'><span class='story-title'>{escape(o.headline, quote=False)}</span></a>"
        f"<time datetime='{o.published.isoformat()}'>{o.published:%b %d}</time></li>"
        for o in items
    )
    return _html("Opinion", f"<ul>{rows}</ul>")


def feed(items: list[Oped], odd: bool) -> str:
    """Return the feed with its full texts; `odd` writes dates and elements as a neighbour paper does."""
    tag = "pubdate" if odd else "pubDate"
    rows = "".join(
        f"<item><title>{escape(o.headline)}</title><link>https://{JOINS}{c_path(o)}{'?fl' if odd else ''}</link>"
        f"<guid>{o.cid}</guid><{tag}>{_feed_date(o.published, odd)}</{tag}><description>{escape(' '.join(o.paragraphs))}</description></item>"
        for o in items
    )
    return f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>Korea JoongAng Daily</title>{rows}</channel></rss>"


def _feed_date(moment: datetime, odd: bool) -> str:
    if odd:
        return f"{moment:%a},{moment.day} {moment:%b} {moment.year} {moment.hour}:{moment.minute}:{moment.second} GMT+9"
    return f"{moment:%a, %d %b %Y %H:%M:%S} +0900"


def sitemap(items: list[Oped]) -> str:
    """Return the news sitemap."""
    rows = "".join(
        f"<url><loc>https://{JOINS}{c_path(o)}</loc><news:news><news:publication_date>{o.published:%Y-%m-%d}</news:publication_date>"
        f"<news:title>{escape(o.headline)}</news:title></news:news></url>"
        for o in items
    )
    spaces = "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'"
    return f"<?xml version='1.0' encoding='utf-8'?><urlset {spaces}>{rows}</urlset>"


def channel(rows: list[tuple[str, str, datetime]]) -> str:
    """Return the portal's list of a press."""
    items = [
        {"title": t, "pcLink": u, "mobileLink": u, "createDt": int(m.timestamp() * 1000), "thumbnail": ""}
        for t, u, m in rows
    ]
    return json.dumps({"items": items}, ensure_ascii=False)
