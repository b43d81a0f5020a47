"""What can go wrong, as a tree a caller can act upon.

OpedsError                  base of ours: one sentence that says what to do
├── WrongUsage              the caller asked for something that cannot be (exit code 2)
│   ├── TakesTooLong        a question that needs more time than it may
│   ├── UnknownSource       no source of that name
│   └── BadSourceFile       a source file that cannot be used
├── NotArchived             no object at that key
├── NoArchive               the bucket holds no archive yet
├── DamagedObject           an object of ours that is not what it should be
├── AlreadyArchived         an object stands at that key, with other bytes
├── StoreUnavailable        the bucket cannot be reached, or refuses our key
│   └── StoreBusy           it answers, and not what was asked, again and again: try again later
├── UnsafeStore             the bucket ignores conditional creates
├── IndexUnavailable        the index database is away or full: try again
├── ForeignIndex            the index belongs to another archive
├── UnreadableWarc          a file that ends early, or is not a WARC file
├── CrawlFailed             a crawl that left no usable summary, or was cut off: try again
│   ├── SiteBusy            429, 5xx or silence: try again later
│   ├── WrongArchive        invented pages for a real archive, or the other way round
│   └── SiteRefused         401, 403 or robots.txt: do not try again before a person has looked
├── DayIncomplete           a day that was not read whole
├── FixityFailed            the archive holds something that does not fit
├── NotificationFailed      a notice that could not be delivered
└── StalePublisher          another publisher moved the catalogue meanwhile
"""

RESTORE = "restore it from the bucket's versions or a backup"
# what reading an object raises whose JSON is not as it should be; the last for one that is too deep
MALFORMED = (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)


class OpedsError(Exception):
    """Base of all errors of this project; `str(error)` is one sentence for a person."""


class WrongUsage(OpedsError):
    """The request itself is wrong; nothing was tried."""


class TakesTooLong(WrongUsage):
    """A question over the archive's file needs more time than it may."""


class UnknownSource(WrongUsage):
    """No source file of that name."""


class BadSourceFile(WrongUsage):
    """A source file lacks something or holds something unusable."""


class NotArchived(OpedsError):
    """No object at that key."""


class NoArchive(OpedsError):
    """Nobody has written an archive there yet; reading commands make none."""


class DamagedObject(OpedsError):
    """An object that only this program writes is not what it wrote: its `key`, and what reading it raised."""

    def __init__(self, key: str, error: Exception) -> None:
        super().__init__(f"{key} is damaged ({type(error).__name__}): {RESTORE}")
        self.key = key


class AlreadyArchived(OpedsError):
    """An object with other bytes stands at that key; it was left as it is."""


class StoreUnavailable(OpedsError):
    """The bucket cannot be reached, does not exist, or refuses the key."""


class StoreBusy(StoreUnavailable):
    """The bucket answers something else than was asked, again and again; another hour may be better."""


class UnsafeStore(OpedsError):
    """The bucket answers a conditional create by overwriting: unfit for an archive."""


class IndexUnavailable(OpedsError):
    """The index database does not answer, or has no room; it is derived, and may be named anew."""


class ForeignIndex(OpedsError):
    """The index was built for another archive."""


class UnreadableWarc(OpedsError):
    """The file is not a WARC file, or it ends in the middle of a record."""


class CrawlFailed(OpedsError):
    """A crawl ended without a summary, or before its time, or could not start; it may be run again."""


class SiteBusy(CrawlFailed):
    """The site asked us to come back later, or did not answer; what was captured stays stored."""


class SiteRefused(CrawlFailed):
    """The site refuses us. Do not ask again before a person has looked."""


class WrongArchive(CrawlFailed):
    """The pages are invented and the archive is real, or the other way round; nothing was stored."""


class DayIncomplete(OpedsError):
    """A day was archived as far as it could be read; the sentence names what is missing."""


class FixityFailed(OpedsError):
    """An object, a record, a manifest or the catalogue does not fit the others. Nothing was repaired."""


class NotificationFailed(OpedsError):
    """A notice could not be delivered to one of the addresses in OPEDS_NOTIFY."""


class StalePublisher(OpedsError):
    """The catalogue moved while we were writing to it; run again."""
