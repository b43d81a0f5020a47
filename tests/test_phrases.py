"""The wordings of boilerplate, and sentences that only look like them."""

import pytest

from pipelines.extraction import phrases


@pytest.mark.parametrize(
    ("name", "text", "fits"),
    [
        ("NAME_ALONE", "Han Seo-yul", True),
        ("NAME_ALONE", "BY LEE HA-KYUNG", True),
        ("NAME_ALONE", "김민주 논설위원", True),
        ("NAME_ALONE", "A ferry is not a promise", False),
        ("BIO", "The author is a professor of law at Hanbit University.", True),
        ("BIO", "Authorship matters here.", False),
        ("BIO_DENIED", "The author is not wrong.", True),
        ("BY_LINE", "By Kim Min-ju, professor at Hanbit University", True),
        ("BY_LINE", "By noon the harbor was empty.", False),
        ("NAME_AND_MAIL", "Kim Min-ju [kim@example.org]", True),
        ("PRINT_EDITION", "JoongAng Ilbo, June 3, Page 30", True),
        ("TRANSLATOR", "Translated by the Korea JoongAng Daily staff.", True),
        ("TRANSLATOR", "Translated by fear into law, the rule stayed.", False),
        ("COPYRIGHT", "Copyright © 2026 The paper", True),
        ("COPYRIGHT", "Copyright law is older than the printing press that it regulates.", False),
        ("CORRECTION", "Correction: the ferry sank twice.", True),
        ("CORRECTION", "Correction is what the ministry promised.", False),
        ("INVITATION", "Sign up for our newsletter", True),
        ("INVITATION", "Subscribe to the view that newspapers matter.", False),
        ("DISCLAIMER", "The views expressed here are the author's own.", True),
        ("WALL_LINE", "To continue reading, please subscribe.", True),
        ("WALL_LINE", "Sign in or create an account to keep reading", True),
        ("WALL_LINE", "Subscribe now to read the whole column.", True),
        ("WALL_LINE", "Already a subscriber? Log in", True),
        ("WALL_LINE", "This article is for subscribers only.", True),
        ("WALL_LINE", "Members only", True),
        ("WALL_LINE", "Read the full story on our site", True),
        ("WALL_LINE", "이 기사를 계속 보시려면 로그인 하세요.", True),
        ("WALL_LINE", "구독자 전용 기사입니다.", True),
        ("WALL_LINE", "To continue reading the law this way is to break it.", False),
        ("WALL_LINE", "Join to keep the harbor clean, the mayor says.", False),
        ("WALL_LINE", "Already a member of the union, she never went on strike.", False),
        ("WALL_LINE", "This story is for members of the Assembly who have yet to hear it.", False),
        ("WALL_LINE", "Members only vote when they are asked.", False),
        ("WALL_LINE", "Read the full story of the ferry and you will not sleep.", False),
        ("WALL_LINE", "나토 회원국 가입이 필요하다.", False),
        ("WALL_LINE", "구독 경제가 커지고 있다.", False),
        ("CREDIT", "A pier at dawn. [YONHAP]", True),
        ("DASHED", "- A headline", True),
        ("DASHED", "-5 degrees", False),
    ],
)
def test_a_wording_fits_or_not(name: str, text: str, fits: bool) -> None:
    assert bool(getattr(phrases, name).match(text)) is fits
