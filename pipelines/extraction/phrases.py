"""The wordings of boilerplate: names, bylines, bios, notes, credits. Patterns only; the rules are in boilerplate.py.

Names begin with a capital, in any script that has them; a Korean name is two to four syllables.
"""

from __future__ import annotations

import re

SURNAMES = frozenset(
    "Kim Lee Yi Rhee Park Pak Choi Choe Jung Jeong Chung Cho Jo Kang Gang Yoon Yun Jang Chang Lim Im Rim Han Oh Seo Suh"
    " Shin Sin Kwon Hwang Ahn An Song Yoo Yu Ryu Hong Moon Mun Yang Bae Baek Paik Nam Ko Koh Noh Roh Ha Heo Huh Cha Joo"
    " Ju Chu Min Byun Pyo Na Ra Woo Wu Won Bang Jin Do Ma Gil Ki Shim Sim Son Sohn Um Eom Jeon Chun Chon Kwak Gwak"
    " Cheon Sung Seong".split()
)  # of Koreans, in the usual spellings
CAPITAL = r"[^\W\d_a-z]"
WORD = rf"(?!AND\b){CAPITAL}[\w’'.-]*?"
PARTICLE = r"(?:van|von|der|den|de|da|di|la|le|bin|al|el)"
NAME = rf"{WORD}(?:\s+(?:{PARTICLE}\s+){{0,2}}{WORD}){{1,3}}?"
KOREAN_TITLE = r"(?:기자|논설위원|논설실장|특파원|교수|칼럼니스트|위원)"
KOREAN_NAME = rf"[가-힣]{{2,4}}(?:\s?{KOREAN_TITLE})?"
KOREAN_OFFICE = rf"[가-힣A-Za-z·ㆍ\s]{{0,30}}{KOREAN_TITLE}"
JOINT = r"\s*(?:,|·|ㆍ|&)\s*|,?\s+(?:and|AND)\s+"  # between the names of several people
NAMES = rf"{NAME}(?:(?:{JOINT}){NAME})*"
KOREAN_NAMES = rf"{KOREAN_NAME}(?:\s*[,·ㆍ]\s*{KOREAN_NAME})*"
MAIL_ADDRESS = r"\[email\s?protected\]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
WHO = r"(?:(?:guest\s)?(?:author|writer|columnist|contributor))"
OCCUPATION = re.compile(
    r"\b(?:professors?|lecturers?|editors?|writers?|columnists?|reporters?|correspondents?|journalists?|directors?|fellows?"
    r"|lawyers?|attorneys?|ambassadors?|diplomats?|advis[eo]rs?|CEO|presidents?|chair\w*|chief|head|ministers?|researchers?|scholars?"
    r"|pilots?|poets?|novelists?|economists?|founders?|co-founders?|deans?|members?|partners?|analysts?|consultants?|activists?"
    r"|doctors?|physicians?|teachers?|students?|officials?|commentators?|critics?|historians?|executives?|managers?|general)\b"
)
INSTITUTION = re.compile(rf"\b(?:at|of|for|with|in|from)\s+(?:the\s+)?{CAPITAL}")

TELLS = (
    r"(?:is|are|was|were|has|have|had|serves?|served|teaches|taught|works?|worked|leads?|led|heads?|headed|runs?|ran"
    r"|chairs?|chaired|writes?|wrote|holds?|held|advises|advised|practices|practiced|covers|covered|studies|studied"
    r"|lives?|lived|lectures|lectured|founded|directs?|directed|manages|represents|currently|also|formerly|previously)"
)  # what is told of an author
BIO = re.compile(
    rf"[*—–-]?\s*(?:The\s+)?{WHO}s?\b(?:\s+of this (?:column|article|piece))?(?:,|\s+{TELLS}\b).*$",
    re.DOTALL | re.IGNORECASE,
)
BIO_DENIED = re.compile(
    rf"[*—–-]?\s*(?:The\s+)?{WHO}s?\s+(?:is|are|was|were)\s+(?:not|right|wrong|never|my)\b", re.IGNORECASE
)
NAME_ALONE = re.compile(
    rf"\[?(?:[Bb]y\s+|BY\s+)?({NAMES}|{KOREAN_NAMES})\s*(?:\([^)]{{1,12}}\))?"
    r"(?:,\s*(?:[Cc]olumnist|[Ss]taff [Ww]riter))?[,\]]?$"
)
NAME_THEN_BIO = re.compile(rf"(?:By\s+|BY\s+)?({NAMES})\s*([*—–-]?\s*The\s+{WHO}s?\b.*)$", re.DOTALL)
BY_LINE = re.compile(
    rf"(?:By|BY|by)\s+({NAMES})(?:,? (?:Staff [Ww]riter|Columnist|STAFF WRITER))?"
    rf"(?:,\s+([a-z][^.]{{3,100}}))?\s*(?:[\[(]*\s*((?:{MAIL_ADDRESS})(?:,\s*(?:{MAIL_ADDRESS}))*)\s*[\])]*)?$"
)
NAME_AND_MAIL = re.compile(rf"(?!By |BY |by )({NAME}|{KOREAN_NAME})\s*()[\[(<]*({MAIL_ADDRESS})[\])>]*$")
MAIL = re.compile(rf"[\[(<]*\s*({MAIL_ADDRESS})\s*[\])>]*$")
PRINT_EDITION = re.compile(
    r"(?:The )?(?:Korea )?JoongAng (?:Ilbo|Daily|Sunday), [A-Z][a-z]+\.? \d{1,2}(?:\s?[-–]\s?\d{1,2})?(?:, \d{4})?,"
    r" Pages? \w?\d+\.?$"
)
TRANSLATOR = re.compile(
    r"\(?Translat(?:ed|ion) by"
    rf" (?:(?:the |our )?.{{0,60}}\b(?:staff|team|JoongAng Daily|editors?)|{NAMES})\.?\)?$"
    rf"|\(?(?:Translations?|Translators?)\s*:\s*(?:{NAMES}|.{{0,60}}\b(?:staff|team|editors?))\.?\)?$"
    rf"|\(?(?:번역|옮긴이|역)\s*[:=]\s*(?:{KOREAN_NAMES}|{NAMES})\)?$"
    r"|Translated using (?:generative )?(?:AI|artificial intelligence|machine)\b.{0,160}$"
    r"|This (?:article|column|editorial) was (?:originally )?written in Korean and translated .{3,300}$"
)
COPYRIGHT = re.compile(
    r"(?:Copyright\s*(?:[©ⓒ(:]|\d{4}|by\b)|저작권자|[ⓒ©]|\(c\)\s*(?:\d{4}\b|(?=.{0,100}(?:Daily|Ilbo|News|Inc|rights)\b)))"
    r".{0,120}$|.{0,100}All rights reserved\.?$"
    r"|.{0,80}무단\s*전재.{0,40}$",
    re.IGNORECASE,
)
CORRECTION = re.compile(
    r"\W*(?:(?:Correction|Clarification|Editor['’]s note)s?(?:,?\s+[A-Z][a-z]{2,8}\.? \d{1,2}(?:, \d{4})?)?\s*[:(—–-]"
    r"|This (?:article|editorial|column|story) (?:was|has been) (?:corrected|updated|revised|amended)\b"
    r"|An earlier version of this (?:article|editorial|column|story)\b).*$",
    re.DOTALL | re.IGNORECASE,
)
INVITATION = re.compile(
    r"(?:Follow us on (?:Facebook|Twitter|X\b|Instagram|YouTube|LinkedIn|Kakao|social)"
    r"|Share this (?:article|story|column)(?=\W*$|\s+(?:on|via|by|with your)\b)|Read more:?\s*$"
    r"|(?:More )?[Rr]elated (?:articles|stories|news)\b"
    r"|(?=.*(?:newsletter|inbox|mailbox|Facebook|Twitter|Instagram|YouTube|e-?mail))"
    r"(?:Subscribe to|Sign up|Get the best of)\b).{0,140}$"
)
DISCLAIMER = re.compile(
    r"\W*The (?:views|opinions) (?:expressed|presented|reflected) (?:here|herein|in this (?:article|column|piece|op-ed)"
    r"|by the (?:author|writer|columnist|contributor))\b(?=.*\b(?:not|own|solely|those of)\b).{0,300}$",
    re.DOTALL,
)
WALL_LINE = re.compile(
    r"\W*(?:please )?(?:to (?:continue|keep) reading(?: (?:this|the) (?:article|story|column|editorial))?"
    r"(?:\W*|[,:] ?(?:please|subscribe|sign|log|register|join|become|create|start|choose|buy)\b.*)"
    r"|(?:subscribe|sign (?:in|up)|log ?in|register|join)(?: now| today)?(?: or [\w ]{2,20}?)?,? (?:to|and|for) "
    r"(?:(?:continue|keep) reading|continue\W*$|read|unlock|access|get full access|see the rest)\b.*"
    r"|(?:.{0,60}\b)?(?:limit|number) of (?:your )?free (?:articles|stories|columns)\b.*"
    r"|you(?:['’]ve| have) (?:read|reached|used|viewed) .{0,40}\bfree (?:articles|stories|columns)\b.*"
    r"|.{0,60}\bpremium (?:content|article|story|column)\b.{0,120}|.{0,40}\bcreate an? (?:free )?account\b.*"
    r"|(?:become|join as) an? (?:\w+ )?(?:member|subscriber)\b.{0,100}|.{0,80}\blog ?in to (?:continue|finish|read)\b.*"
    r"|.{0,60}\bsubscri(?:be|ption) (?:required|to (?:finish|see|continue|read))\b.*"
    r"|already an? (?:\w+ )?(?:member|subscriber)(?:\?|[.,]? (?:sign|log) ?in\b).*"
    r"|(?:this|the) (?:article|story|column|editorial|content) is (?:available )?(?:only )?(?:for|to) (?:\w+ )?"
    r"(?:subscribers|members)(?: only)?\W*"
    r"|(?:for )?(?:subscribers?|members?) only\W*"
    r"|read (?:the )?(?:full|rest of (?:the|this)|whole) (?:story|article|column|editorial)\b.{0,25}"
    r"|.{0,60}(?:구독|로그인|회원 ?가입)(?:이|을|를)? ?(?:하세요|하시면|하셔야|하신|해 ?주세요|필요합니다|후 ).{0,40}"
    r"|.{0,40}(?:구독자|회원|유료)(?:에게만| ?전용).{0,40})$",
    re.IGNORECASE,
)  # a line that stops the reader
CREDIT = re.compile(
    r".*(?:\[[A-Z][A-Z0-9 /’'.&,-]*\]|[\[(](?:Yonhap|AP|AFP|Reuters|연합뉴스|[A-Z]+=연합뉴스)[\])])$|Photo by .{3,60}$",
    re.DOTALL,
)
PARTNER = re.compile(r"with the Korea JoongAng Daily$")
DASHED = re.compile(r"[-–▶•]\s+\S")
SENTENCE_END = re.compile(r"[.!?][’”\"')\]]*\s+(?=[A-Z“‘\"'\d])")
ABBREVIATIONS = frozenset(
    "Prof Dr Mr Mrs Ms Gen Sen Rep St Co Ltd Inc Corp Jr Sr No Gov Lt Col Capt vs Ph.D M.D".split()
)
OPENER = re.compile(
    r"[“‘\"']?(?:The|This|That|These|Those|It|In|On|At|When|If|But|And|A|An|As|For|There|We|I|He|She|They|South|North|Korea|President|\d)\b"
)
PROSE_END = re.compile(r"[.!?…][’”\"')\]]*$")
MORE_BIO = re.compile(
    r"(?:He|She|They)\s+(?:(?:has|have|had|also|previously|formerly|currently|is the|is an?|was the|was an?)\s+)*"
    r"(?:served|serves|holds?|held|received|earned|graduated|teaches|taught|lives?|lived|writes|wrote|written|works?|worked|joined"
    r"|chairs|chaired|leads|led|directs|directed|heads|headed|runs|advises|practices|manages|represents|covers|covered|studied|specializes|specialized|author|member|former|fellow|graduate|recipient|head|spent|edits|edited)\b"
)
PAST_BIO = re.compile(rf"[*—–-]?\s*(?:The\s+)?{WHO}s?\s+(?:was|were)\b", re.IGNORECASE)
INTERFACE_LINE = re.compile(
    r"Advertisements?|ADVERTISEMENTS?|Listen to this (?:article|story|column).{0,12}|Scroll to continue"
    r"|Most (?:read|viewed|popular)(?: in \w+)?|Share on (?:Facebook|Twitter|X|LinkedIn|KakaoTalk|Line)"
    r"|(?:Story|Article) continues below.{0,30}|광고|공유하기|본문 듣기"
)  # a whole block of these words is the site's, wherever it stands
SIGNATURE = re.compile(rf"[—–-]{{1,2}}\s*({NAME}|{KOREAN_NAME})(?:,\s+([^.!?]{{3,120}}))?\.?$")  # — Name, office
OFFICE = re.compile(rf"({KOREAN_NAMES})\s*[/|,·]?\s*({KOREAN_OFFICE})$")
VALEDICTION = re.compile(
    rf"(?:Yours\s+)?(?:Sincerely|Truly|Faithfully|Respectfully)(?:\s+yours)?,?(?:\s+({NAME}))?[.,]?$"
    rf"|(?:Best|Kind|Warm)\s+(?:regards|wishes),?(?:\s+({NAME}))?[.,]?$",
    re.IGNORECASE,
)
UPDATE_LINE = re.compile(
    r"\W*(?:(?:Last )?(?:Updated|Modified|Published|Posted)(?: on| at)?|수정|입력|업데이트)\s*:?\s+"
    r"(?:[A-Z][a-z]{2,8}\.? \d{1,2},? \d{4}|\d{1,2} [A-Z][a-z]{2,8}\.?,? \d{4}|\d{4}\s?[-./년][\d\s./월일-]{3,9})"
    r"(?:,?\s*[\d:.()+apmAPMKSTGUC오전후시분\s]{0,25})$"
    r"|\[(?:UPDATE|UPDATED|CORRECTED|수정)(?: \d{1,2})?\]$",
    re.IGNORECASE,
)
POSTAL_ADDRESS = re.compile(
    r"(?:\d[\d,-]*\s+)?[A-Z][\w.'-]*-(?:ro|gil|daero|gu|dong)\b[^!?]{0,100}$"
    r"|(?:\(?우?\)?\s?\d{5}\)?\s*)?(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|제주)\S*\s[가-힣]{1,4}[구군시]\s"
    r".{1,30}(?:로|길|동)\s?\d.{0,30}$"
    r"|(?:Tel|Phone|Fax|전화|팩스|대표전화)\s*[.:)]\s*[\d() +-]{7,40}$"
)
NOTICE = re.compile(
    r"(?:※|▶|☞)\s?[^.!?]{4,60}$|.{0,20}카카오톡\s?(?:채널|친구|구독|플러스).{0,30}$"
    r"|.{0,40}(?:영문\s?(?:기사|판|사설)|기사\s?원문|원문\s?(?:보기|기사)|네이버에서 보기)[^.]{0,30}$"
)
MAILS = re.compile(MAIL_ADDRESS)
