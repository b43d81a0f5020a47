"""Codes of the archive as sentences for readers; what the codes are is in docs/schema.md."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.catalogue.calendar import Standing

REASONS = {
    "no_headline": "no headline was found",
    "no_date": "no date was found that can be believed",
    "short": "the text is shorter than op-eds are",
    "no_evidence_of_opinion": "nothing on the portal’s page says that it is opinion",
    "from_the_future": "the date lies behind the moment when the page was fetched",
    "dates_disagree": "the page names more than one day of publication",
    "section_says_otherwise": "the page names another section than its address",
    "interface_in_text": "words of the site’s buttons stand in the text",
    "text_beside_region": "there is prose on the page that no rule explains and that is not in the text",
    "beginning_missing": "the beginning of the text seems to be missing",
    "letters_unaccounted": "some letters of the page are neither in the text nor taken out by a rule",
    "lost_in_parsing": "broken markup swallowed a part of the page",
    "prose_removed": "a rule took out whole sentences that no field keeps",
    "reader_disagrees": "a second reader of pages leaves out a tenth of this text",
    "boilerplate_in_text": "a byline, a line about the author or a list of headlines stands in the text",
    "bio_without_name": "there is a line about the author, and no author",
    "paywall": "the page asks for a subscription: the text may be cut",
    "bad_bytes": "the page has bytes that its encoding does not know",
    "mojibake": "the text has signs of a wrong encoding",
    "entity_in_text": "the text has an undecoded sign such as &rsquo;",
    "prose_in_furniture": "what is dropped on such pages holds so much prose here that it stays",
    "drift": "the page is not as pages of the site usually are",
    "truncated": "the page is cut off",
    "reject": "the page cannot be used",
    "no_profile_fits": "no known layout fits the page: the site may have changed",
    "answer_cut_off": "the answer of the site was cut off",
    "digest_mismatch": "the page is not the one that its recorded digest is of",
    "no_text": "the page has no text",
    "script_shell": "the page is made by scripts and has no text of its own",
    "soft_404": "the page says that the article does not exist",
    "error_page": "the page is an error message of the site",
    "unreadable": "the page could not be read",
    "too_costly": "the page has far more in it than an op-ed has",
    "other_section": "the page is of another section",
    "other_press": "the page is of another newspaper",
    "photo_gallery": "the page is a gallery of pictures",
}
UNFORESEEN = "unforeseen_"
CHANGE_WORDS = {
    "headline": "headline",
    "deck": "deck",
    "byline": "byline",
    "text_added": "text added",
    "text_removed": "text removed",
    "text_changed": "text changed",
    "text_ko_added": "Korean text added",
    "text_ko_removed": "Korean text removed",
    "text_ko_changed": "Korean text changed",
    "correction_note": "correction note",
    "read_by_other_rules": "read by other rules: what changed is not known",
}


STANDINGS = {
    Standing.COMPLETE: "complete: every list of op-eds that was expected was read to its end",
    Standing.INCOMPLETE: "incomplete: something is missing; the day’s page says what",
    Standing.NEVER: "never run: a gap, with crawled days before and after it",
    Standing.PAST: "only from a public web archive: op-eds may be missing",
    Standing.BY_HAND: "by hand: whether there are more op-eds is not known",
    Standing.UNKNOWN: "not looked at",
}
OUTCOMES = {
    "NEW": "new",
    "COPY": "copies",
    "REVISED": "changed",
    "UNCHANGED": "unchanged",
    "UNLISTED": "waiting for review",
    "REJECTED": "set aside",
    "REREAD": "read again",
    "NOT_AN_OPED": "no op-eds",
    "DISALLOWED": "not allowed by robots.txt",
    "FAILED": "failed",
    "GONE": "gone",
    "ALIAS": "other addresses",
    "WITHDRAWN": "withdrawn",
}
RELATIONS = {
    "same": "the same text",
    "version": "another version of the text",
    "syndicated_copy": "a copy of the text",
    "excerpt_of": "an excerpt of the text",
    "contains": "a longer page that has the whole text",
    "quotes": "some wording in common",
}


def relation_in_words(relation: str) -> str:
    """Return how two texts relate, for readers; common wording alone proves no quotation.

    >>> relation_in_words("quotes")
    'some wording in common'
    """
    return RELATIONS.get(relation, relation.replace("_", " "))


def outcome_in_words(verdict: str) -> str:
    """Return what came of pages, for readers."""
    return OUTCOMES.get(verdict, verdict.lower())


def reasons_in_words(codes: Iterable[str]) -> list[str]:
    """Return why a person should look at a page, for readers.

    >>> reasons_in_words(["no_text", "unforeseen_KeyError"])
    ['the page has no text', 'an error of ours: KeyError']
    """
    return [_reason(code) for code in codes]


def _reason(code: str) -> str:
    if code.startswith(UNFORESEEN):
        return f"an error of ours: {code.removeprefix(UNFORESEEN)}"
    return REASONS.get(code, code.replace("_", " "))


def change_in_words(kind: str) -> str:
    """Return what changed, for readers.

    >>> change_in_words("headline+text_added")
    'headline, text added'
    """
    return ", ".join(CHANGE_WORDS.get(one, one.replace("_", " ")) for one in kind.split("+") if one)
