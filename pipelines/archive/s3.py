"""The bucket over S3: the one module that knows boto3. Facts behind the settings: DECISIONS 0006."""

from __future__ import annotations

import base64
import hashlib
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.errors import AlreadyArchived, NotArchived, OpedsError, StoreUnavailable, UnsafeStore, WrongUsage
from pipelines.settings import Settings

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

NO_KEYS = "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role"
DEFAULT_REGION = "us-east-1"
ATTEMPTS = 6  # creates that met an undecided race (409), with jitter between
TYPES = {".json": "application/json", ".warc.gz": "application/warc+gzip"}  # of objects, by the end of their keys
MISSING_CODES = {"404", "NoSuchKey", "NotFound"}
BROKEN_OFF = {"IncompleteReadError", "ResponseStreamingError", "ReadTimeoutError", "InternalError"}  # worth another try
EXPIRED = "the key for the bucket has expired ({}): get a new one, with its AWS_SESSION_TOKEN, then run this again"
SKEWED = "this machine's clock is wrong ({}): the bucket refuses its signatures; set the clock, then run this again"
TOLD = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), EXPIRED),
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired"), SKEWED),
}
REFUSED_CODES = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "401"}


class S3Store:
    """See `pipelines.archive.store.Store`. A client may be shared by threads, never across a fork."""

    def __init__(self, settings: Settings, bucket: str, prefix: str = "") -> None:
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""
        self.client = client(settings)

    def create(self, key: str, body: bytes) -> None:
        """Create by conditional put: 412 and unknown answers are decided by reading back."""
        from botocore.exceptions import BotoCoreError, ClientError

        for attempt in range(ATTEMPTS):
            try:
                self._put(key, body)
                return None
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in {"412", "PreconditionFailed"}:
                    return self._must_equal(key, body)
                if code not in {"409", "ConditionalRequestConflict", "OperationAborted"}:
                    raise self._translated(error, key) from error
                time.sleep(random.uniform(0.05, 0.3) * (attempt + 1))
            except BotoCoreError as error:  # the answer got lost: did the object arrive?
                try:
                    return self._must_equal(key, body)
                except NotArchived:
                    if attempt + 1 == ATTEMPTS:
                        raise self._translated(error, key) from error
        raise StoreUnavailable(f"{key}: the bucket kept answering 409 (conflict); try again later")

    def _put(self, key: str, body: bytes) -> None:
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        self.client.put_object(
            Bucket=self.bucket,
            Key=self.prefix + key,
            Body=body,
            IfNoneMatch="*",
            ChecksumSHA256=checksum,
            ContentType=content_type(key),
        )

    def _must_equal(self, key: str, body: bytes) -> None:
        if self.read(key) != body:
            raise AlreadyArchived(f"{key} exists with other bytes")

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        from botocore.exceptions import BotoCoreError, ClientError

        attempt = 0
        while True:
            attempt += 1
            try:
                return self._get(key)
            except (ClientError, BotoCoreError) as error:
                # boto3 asks again for an answer that does not come, not for a body that breaks off
                code = (getattr(error, "response", None) or {}).get("Error", {}).get("Code", type(error).__name__)
                if code not in BROKEN_OFF or attempt == ATTEMPTS:
                    raise self._translated(error, key) from error
                time.sleep(random.uniform(0.05, 0.3) * attempt)

    def _get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()

    def keys(self, prefix: str) -> Iterator[str]:
        """List and sort here: a store may walk its tree in another order than bytes."""
        from botocore.exceptions import BotoCoreError, ClientError

        found: list[str] = []
        try:
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            ):
                found += (item["Key"].removeprefix(self.prefix) for item in page.get("Contents", ()))
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, prefix) from error
        yield from sorted(found)

    def _translated(self, error: Exception, key: str) -> OpedsError:
        """Return our error for one of boto3's; the sentence never holds a key or secret of the account."""
        response = getattr(error, "response", None)
        code = str(response["Error"]["Code"]) if response else type(error).__name__
        if code in MISSING_CODES:
            return NotArchived(f"{key} is not in the archive")
        if code == "NoSuchBucket":
            return StoreUnavailable(f"there is no bucket {self.bucket!r}; create it, or correct OPEDS_ARCHIVE")
        if code in REFUSED_CODES:
            return StoreUnavailable(f"the bucket {self.bucket!r} refuses this key ({code}); check AWS_ACCESS_KEY_ID")
        if code in TOLD:
            return StoreUnavailable(TOLD[code].format(code))
        if code in {"501", "NotImplemented"}:
            return UnsafeStore("the bucket has no conditional create (501); use one that honours If-None-Match")
        if code in {"NoCredentialsError", "PartialCredentialsError"}:
            return StoreUnavailable(NO_KEYS)
        if code in BROKEN_OFF:
            return StoreUnavailable(f"answers of the bucket {self.bucket!r} break off ({code}); try again later")
        if response:
            return StoreUnavailable(f"the bucket {self.bucket!r} answers {code} again and again; try again later")
        return StoreUnavailable(f"the bucket {self.bucket!r} does not answer ({code}); is AWS_ENDPOINT_URL right?")


def keys_below(settings: Settings, bucket: str, prefix: str) -> list[str]:
    """Return the keys of any bucket below a prefix, sorted; raise `StoreUnavailable`."""
    return list(S3Store(settings, bucket).keys(prefix))


def download(settings: Settings, bucket: str, key: str, into: IO[bytes]) -> None:
    """Write an object of any bucket to a file; raise `NotArchived` or `StoreUnavailable`."""
    from botocore.exceptions import BotoCoreError, ClientError

    store = S3Store(settings, bucket)
    try:
        store.client.download_fileobj(bucket, key, into)
    except (ClientError, BotoCoreError) as error:
        raise store._translated(error, key) from error


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
                read_timeout=30,  # losers of a contended create wait for seconds
                max_pool_connections=16,
                retries={"mode": "standard", "max_attempts": 4},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (BotoCoreError, ValueError) as error:  # a profile that is not there, an address that is none
        raise WrongUsage(f"the bucket cannot be reached as AWS_* says: {error}") from error
