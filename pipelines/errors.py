"""What can go wrong, as a tree a caller can act upon.

OpedsError                  everything of ours: one sentence that says what to do
├── WrongUsage              the caller asked for something that cannot be (exit code 2)
│   ├── UnknownSource       no source of that name
│   └── BadSourceFile       a source file that cannot be used
├── NotArchived             no object at that key
├── AlreadyArchived         an object stands at that key, with other bytes
├── StoreUnavailable        the bucket cannot be reached, or refuses our key
├── UnsafeStore             the bucket ignores conditional creates
├── ForeignIndex            the index belongs to another archive
├── UnreadableWarc          a WARC file that ends early, or is none
├── CrawlFailed             a crawl that left no usable summary
└── StalePublisher          another publisher moved the catalogue meanwhile
"""


class OpedsError(Exception):
    """Base of all errors of this project; `str(error)` is one sentence for a person."""


class WrongUsage(OpedsError):
    """The request itself is wrong; nothing was tried."""


class UnknownSource(WrongUsage):
    """No source file of that name."""


class BadSourceFile(WrongUsage):
    """A source file lacks something or holds something unusable."""


class NotArchived(OpedsError):
    """No object at that key."""


class AlreadyArchived(OpedsError):
    """An object with other bytes stands at that key; it was left as it is."""


class StoreUnavailable(OpedsError):
    """The bucket cannot be reached, does not exist, or refuses the key."""


class UnsafeStore(OpedsError):
    """The bucket answers a conditional create by overwriting: unfit for an archive."""


class ForeignIndex(OpedsError):
    """The index was built for another archive."""


class UnreadableWarc(OpedsError):
    """A WARC file that is none, or ends in the middle of a record."""


class CrawlFailed(OpedsError):
    """A crawl ended without a summary, or could not start."""


class StalePublisher(OpedsError):
    """The catalogue moved while we were writing to it; run again."""
