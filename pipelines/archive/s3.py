"""The bucket over S3: the one module that knows boto3. Facts behind the settings: DECISIONS 0006."""

from __future__ import annotations

import base64
import hashlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pipelines.archive.store import refuse_all_but_views, refuse_impossible
from pipelines.errors import (
    AlreadyArchived,
    NotArchived,
    OpedsError,
    StoreBusy,
    StoreUnavailable,
    UnsafeStore,
    WrongUsage,
)
from pipelines.settings import Settings

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

NO_KEYS = "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role"
DEFAULT_REGION = "us-east-1"
ATTEMPTS, ATTEMPTS_REFUSED, ATTEMPTS_SLOW = 8, 6, 4  # of one request, with jitter in between
LONGEST_WAIT_S3 = 3.0  # seconds between two of them
TYPES = {  # of objects, by the end of their keys
    ".json": "application/json",
    ".warc.gz": "application/warc+gzip",
    ".md": "text/markdown; charset=utf-8",
    ".atom": "application/atom+xml",
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".sqlite": "application/vnd.sqlite3",
    ".wacz": "application/wacz",
}
PASSING = frozenset({408, 409, 425, 429})  # answers that another try may not meet, as all of 500 and above but 501
UNREACHED = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"})
SLOW = "ReadTimeoutError"
BROKEN_OFF = frozenset({"IncompleteReadError", "ResponseStreamingError"})
CLOSED = frozenset({"ConnectionClosedError", "ConnectionError", "HTTPClientError"})
STRANGE = frozenset({"ResponseParserError", "NoAnswerOfS3Error"})
EXPIRED = "the key for the bucket has expired ({}): get a new one, with its AWS_SESSION_TOKEN, then run this again"
SKEWED = "this machine's clock is wrong ({}): the bucket refuses its signatures; set the clock, then run this again"
TOLD = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), EXPIRED),
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired"), SKEWED),
}
REFUSED_CODES = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
Given = TypeVar("Given")


class NoAnswerOfS3Error(Exception):
    """Something answered that is not a bucket: a web page, say, of a proxy in between."""


class S3Store:
    """See `pipelines.archive.store.Store`. A client may be shared by threads, never across a fork."""

    def __init__(self, settings: Settings, bucket: str, prefix: str = "") -> None:
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""
        self.client = client(settings)

    def create(self, key: str, body: bytes) -> None:
        """Create by conditional put. An answer that got lost is asked for again: 412 then says that the object arrived,
        ours or another's, and reading it decides."""
        if not self._until_answered(key, lambda: self._put(key, body)) and self.read(key) != body:
            raise AlreadyArchived(f"{key} exists with other bytes")

    def _put(self, key: str, body: bytes) -> bool:
        """Put an object where there is none; return whether there was none."""
        from botocore.exceptions import ClientError

        try:
            self._overwrite(key, body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] in {"412", "PreconditionFailed"}:
                return False
            raise
        return True

    def replace(self, key: str, body: bytes | Path) -> None:
        """See `Store.replace`. A file goes in parts where it is large."""
        refuse_all_but_views(key)
        put = self._overwrite if isinstance(body, bytes) else self._upload
        self._until_answered(key, partial(put, key, body))  # type: ignore[arg-type]

    def _overwrite(self, key: str, body: bytes, **conditions: Any) -> None:
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        answer = self.client.put_object(
            Bucket=self.bucket,
            Key=self.prefix + key,
            Body=body,
            ChecksumSHA256=checksum,
            ContentType=content_type(key),
            **conditions,
        )
        _must_be_of_s3("ETag" in answer)

    def _upload(self, key: str, path: Path) -> None:
        from boto3.exceptions import S3UploadFailedError

        try:
            self.client.upload_file(
                str(path), self.bucket, self.prefix + key, ExtraArgs={"ContentType": content_type(key)}
            )
        except S3UploadFailedError as error:
            raise error.__context__ or error from error  # what botocore said, by which we judge

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        refuse_impossible(key)
        return self._until_answered(key, lambda: self._get(key))

    def _get(self, key: str) -> bytes:
        answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)
        _must_be_of_s3("ETag" in answer)
        return answer["Body"].read()

    def keys(self, prefix: str) -> Iterator[str]:
        """List page by page, and sort here: a store may walk its tree in another order than bytes."""
        found: list[str] = []
        token = ""
        while True:
            page = self._until_answered(prefix, partial(self._page, prefix, token))
            found += (item["Key"].removeprefix(self.prefix) for item in page.get("Contents", ()))
            token = page.get("NextContinuationToken", "") if page.get("IsTruncated") else ""
            if not token:
                break
        yield from sorted(found)

    def _page(self, prefix: str, token: str) -> ListObjectsV2OutputTypeDef:
        more: dict[str, Any] = {"ContinuationToken": token} if token else {}
        page = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix + prefix, **more)
        _must_be_of_s3("IsTruncated" in page)  # a web page may be sound XML, and would be an empty list
        return page

    def written_at(self, key: str) -> datetime:
        """See `Store.written_at`. By a list: what answers HEAD has no body that shows whether it is S3."""
        listed = self._until_answered(key, partial(self._page, key, "")).get("Contents", ())
        found = [item["LastModified"] for item in listed if item["Key"] == self.prefix + key]
        if not found:
            raise NotArchived(f"{key} is not in the archive")
        return found[0]

    def download(self, key: str, into: IO[bytes]) -> None:
        """Write an object to a file; raise `NotArchived` when there is none."""

        def once() -> None:
            into.seek(0)
            into.truncate()
            self.client.download_fileobj(self.bucket, self.prefix + key, into)

        self._until_answered(key, once, of_head=True)

    def _until_answered(self, key: str, ask: Callable[[], Given], of_head: bool = False) -> Given:
        """Return what `ask` returns, asking again where another try may find the bucket in a better mood.

        All trying again is here: botocore itself tries once. `of_head` says that a missing object is told by its status
        alone; else 404 without an error of S3 comes from somebody else.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        attempt = 0
        while True:
            attempt += 1
            try:
                return ask()
            except (ClientError, BotoCoreError, NoAnswerOfS3Error) as error:
                if attempt >= _attempts(error, of_head):
                    raise self._translated(error, key, of_head) from error
                time.sleep(random.uniform(0.5, 1) * min(0.1 * 2**attempt, LONGEST_WAIT_S3))

    def _translated(self, error: Exception, key: str, of_head: bool = False) -> OpedsError:
        """Return our error for one of boto3's; the sentence never holds a key or secret of the account."""
        code, status = _code_of(error)
        name = f"the bucket {self.bucket!r}"
        if code == "NoSuchKey" or (of_head and status == 404):
            return NotArchived(f"{key} is not in the archive")
        if code == "NoSuchBucket":
            return StoreUnavailable(f"there is no bucket {self.bucket!r}; create it, or correct OPEDS_ARCHIVE")
        if code in REFUSED_CODES or (of_head and status in {401, 403}):
            return StoreUnavailable(f"{name} refuses this key ({code}); check AWS_ACCESS_KEY_ID")
        if code in TOLD:
            return StoreUnavailable(TOLD[code].format(code))
        if code in {"501", "NotImplemented"}:
            return UnsafeStore("the bucket has no conditional create (501); use one that honours If-None-Match")
        if code in {"NoCredentialsError", "PartialCredentialsError"}:
            return StoreUnavailable(NO_KEYS)
        if code in UNREACHED:
            return StoreUnavailable(f"{name} does not answer ({code}); is AWS_ENDPOINT_URL right?")
        return StoreBusy(f"{name} {_said(code, status)}")


class S3Remover(S3Store):
    """Removes objects with all their versions. See `pipelines.archive.remover.Remover`."""

    def remove(self, key: str) -> None:
        """See `Remover.remove`."""
        for (name, version), _ in self._versions(key):
            if name == key:
                self._delete(key, version)

    def rewrite(self, key: str, body: bytes) -> None:
        """See `Remover.rewrite`."""
        self._until_answered(key, partial(self._overwrite, key, body))
        for (name, version), keeps in self._versions(key):
            if name == key and not keeps:
                self._delete(key, version)

    def sweep(self, prefix: str) -> int:
        """See `Remover.sweep`."""
        count = 0
        for (key, version), keeps in self._versions(prefix):
            if not keeps:
                self._delete(key, version)
                count += 1
        return count

    def _versions(self, prefix: str) -> list[tuple[tuple[str, str], bool]]:
        """Return every version below a prefix, by key and id, and whether it is an object's latest; a mark of a
        deletion never is."""
        found: list[tuple[tuple[str, str], bool]] = []
        more: dict[str, Any] = {}
        while True:
            page = self._until_answered(
                prefix,
                lambda asked=dict(more): self.client.list_object_versions(  # type: ignore[misc]
                    Bucket=self.bucket, Prefix=self.prefix + prefix, **asked
                ),
            )
            for one in page.get("Versions", ()):
                found.append(((one["Key"].removeprefix(self.prefix), one["VersionId"]), one["IsLatest"]))
            for mark in page.get("DeleteMarkers", ()):
                found.append(((mark["Key"].removeprefix(self.prefix), mark["VersionId"]), False))
            if not page.get("IsTruncated"):
                return found
            more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def _delete(self, key: str, version: str) -> None:
        which: dict[str, Any] = {} if version in {"", "null"} else {"VersionId": version}
        self._until_answered(
            key, lambda: self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key, **which), of_head=True
        )


def _must_be_of_s3(is_so: bool) -> None:
    if not is_so:
        raise NoAnswerOfS3Error


def _code_of(error: Exception) -> tuple[str, int]:
    """Return the code of S3, else the name of the error; and the status of HTTP, or 0."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return str(response.get("Error", {}).get("Code") or (status if response else type(error).__name__)), status


def _attempts(error: Exception, of_head: bool) -> int:
    """Return how often a request is tried that meets this error."""
    code, status = _code_of(error)
    if code in UNREACHED:
        return ATTEMPTS_REFUSED
    if code == SLOW:
        return ATTEMPTS_SLOW
    is_strange = code in STRANGE or (code == str(status) and not of_head)
    is_passing = status in PASSING or (status >= 500 and status != 501)
    return ATTEMPTS if is_strange or is_passing or code in BROKEN_OFF | CLOSED else 1


def _said(code: str, status: int) -> str:
    """Return what a bucket did that was asked again and again."""
    if code == SLOW:
        return "is too slow: no answer came in time (OPEDS_STORE_TIMEOUT); try again later"
    if code in BROKEN_OFF:
        return f"lets its answers break off ({code}); try again later"
    if code in CLOSED:
        return f"closes its connections without an answer ({code}); try again later"
    if code in STRANGE or code == str(status):
        answer = f"HTTP {status} without an error of S3" if status else "a page that is none of S3"
        return f"is not what answers ({answer} came): is there a proxy in between?"
    return f"answers {code} again and again; try again later"


def keys_below(settings: Settings, bucket: str, prefix: str) -> list[str]:
    """Return the keys of any bucket below a prefix, sorted; raise `StoreUnavailable`."""
    return list(S3Store(settings, bucket).keys(prefix))


def download(settings: Settings, bucket: str, key: str, into: IO[bytes]) -> None:
    """Write an object of any bucket to a file; raise `NotArchived` or `StoreUnavailable`."""
    S3Store(settings, bucket).download(key, into)


def content_type(key: str) -> str:
    """Return the type of an object by its key.

    >>> [content_type(key) for key in ("runs/1.json", "captures/kjd/c1/x.warc.gz")]
    ['application/json', 'application/warc+gzip']
    """
    return next((kind for end, kind in TYPES.items() if key.endswith(end)), "application/octet-stream")


def with_keys(settings: Settings) -> Settings:
    """Return settings with the key that boto finds by any of its ways, as it is now: roles' keys change.

    For libraries that know only keys. Raises `StoreUnavailable` when there is none.
    """
    if settings.access_key and settings.region and settings.endpoint:
        return settings
    from botocore.exceptions import BotoCoreError

    session = _session()
    try:
        region = settings.region or session.get_config_variable("region") or DEFAULT_REGION
        endpoint = settings.endpoint or session.get_scoped_config().get("endpoint_url", "")
        if settings.access_key:
            return replace(settings, region=region, endpoint=endpoint)
        found = session.get_credentials()
        keys = found.get_frozen_credentials() if found else None
    except BotoCoreError as error:
        raise StoreUnavailable(f"no credentials: {error}") from error
    if keys is None or not keys.access_key or not keys.secret_key:
        raise StoreUnavailable(NO_KEYS)
    return replace(
        settings,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token or "",
        region=region,
        endpoint=endpoint,
    )


@cache
def _session() -> Session:
    from botocore.session import Session

    return Session()


def client(settings: Settings) -> S3Client:
    """Return a boto3 client with time limits that contended creates can live with."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    if settings.endpoint and urlsplit(settings.endpoint).scheme not in {"http", "https"}:
        raise WrongUsage(f"AWS_ENDPOINT_URL={settings.endpoint} is no address; write it as http://localhost:8333")
    try:
        return boto3.client(
            "s3",
            endpoint_url=settings.endpoint or None,
            region_name=settings.region or _session().get_config_variable("region") or DEFAULT_REGION,
            aws_access_key_id=settings.access_key or None,
            aws_secret_access_key=settings.secret_key or None,
            aws_session_token=settings.session_token or None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"} if settings.endpoint else {},
                connect_timeout=3,
                read_timeout=settings.store_timeout,  # losers of a contended create wait for seconds
                max_pool_connections=16,
                retries={"mode": "standard", "total_max_attempts": 1},  # `S3Store` tries again
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (BotoCoreError, ValueError) as error:  # a profile that is not there, an address that is none
        raise WrongUsage(f"the bucket cannot be reached as AWS_* says: {error}") from error
