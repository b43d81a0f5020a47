"""Set up a bucket for the archive: private, versioned, encrypted, old versions of the views removed in time.

    python -m infra.bucket s3://opeds-archive              # says what it would set
    python -m infra.bucket s3://opeds-archive --write      # sets it; may be run again

Run it with an administrator's key (AWS_*); the pipeline's own keys (infra/policies) may do none of this. A store that
does not know a setting is told by name, and the others are set. Also prints the policies with the bucket's name.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines.archive.keys import VIEW_PREFIXES
from pipelines.archive.s3 import client
from pipelines.errors import OpedsError, StoreUnavailable
from pipelines.settings import read_settings

POLICIES = Path(__file__).parent / "policies"
KEEP_DAYS = 30  # of what was replaced: longer than any reader's open version


def settings_of(bucket: str, prefix: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return what is set, in words, with the call of the S3 interface and its arguments."""
    private = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    rules: list[dict[str, Any]] = [
        {
            "ID": f"old-{view.strip('/')}",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix + view},
            "NoncurrentVersionExpiration": {"NoncurrentDays": KEEP_DAYS},
        }
        for view in VIEW_PREFIXES
    ]
    rules.append(
        {
            "ID": "broken-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    )
    encrypted = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    only_tls = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    return {
        "private: no public access by any rule": (
            "put_public_access_block",
            {"PublicAccessBlockConfiguration": private},
        ),
        "versioned: what is replaced or deleted can be had back": (
            "put_bucket_versioning",
            {"VersioningConfiguration": {"Status": "Enabled"}},
        ),
        f"lifecycle: replaced versions of {' and '.join(VIEW_PREFIXES)} go after {KEEP_DAYS} days": (
            "put_bucket_lifecycle_configuration",
            {"LifecycleConfiguration": {"Rules": rules}},
        ),
        "encrypted at rest (AES256)": ("put_bucket_encryption", {"ServerSideEncryptionConfiguration": encrypted}),
        "refuses what comes without TLS": ("put_bucket_policy", {"Policy": json.dumps(only_tls)}),
    }


def set_up(bucket: str, prefix: str, s3: Any, tell: Callable[[str], None], tls: bool) -> int:
    """Make the bucket if need be and set everything; return how many settings the store does not know."""
    from botocore.exceptions import ClientError

    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchBucket"}:
            raise StoreUnavailable(f"{bucket} is not ours to set up: {error.response['Error']['Code']}") from error
        _create(bucket, s3)
    unknown = 0
    for what, (call, arguments) in settings_of(bucket, prefix).items():
        if call == "put_bucket_policy" and not tls:
            tell(f"left out, since the store is reached without TLS: {what}")
            continue
        try:
            getattr(s3, call)(Bucket=bucket, **arguments)
            tell(f"set: {what}")
        except ClientError as error:
            unknown += 1
            tell(f"NOT SET ({error.response['Error']['Code']}): {what}")
    return unknown


def _create(bucket: str, s3: Any) -> None:
    """Make the bucket in the client's region; the first of AWS's regions must not be named."""
    from botocore.exceptions import ClientError

    region = s3.meta.region_name
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **where)
    except ClientError as error:
        raise StoreUnavailable(f"cannot make {bucket}: {error.response['Error']['Message']}") from error


def policy(name: str, bucket: str, prefix: str) -> str:
    """Return a role's policy for this bucket; with a prefix, rights are rights below it, looking included."""
    told: dict[str, Any] = json.loads((POLICIES / f"{name}.json").read_text().replace("BUCKET/", f"BUCKET/{prefix}"))
    if prefix:
        told["Statement"][0]["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}*"]}}
    return json.dumps(told, indent=2).replace("BUCKET", bucket)


def main() -> int:
    """Return 0 when all was set, or only shown; 1 when something could not be; 2 for a wrong address."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", help="s3://bucket[/prefix], as OPEDS_ARCHIVE names it")
    parser.add_argument("--write", action="store_true", help="set it; without this it is only shown")
    options = parser.parse_args()
    parts = urlsplit(options.archive)
    if parts.scheme != "s3" or not parts.netloc:
        print(f"bucket: {options.archive} is no bucket; write it as s3://name", file=sys.stderr)
        return 2
    prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
    if not options.write:
        for what in settings_of(parts.netloc, prefix):
            print(f"would set: {what}")
        for name in ("crawler", "archivist", "reader"):
            print(f"\npolicy of the {name}:\n{policy(name, parts.netloc, prefix)}")
        return 0
    settings = read_settings()
    try:
        tls = not settings.endpoint.startswith("http://")
        return 1 if set_up(parts.netloc, prefix, client(settings), print, tls) else 0
    except OpedsError as error:
        print(f"bucket: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
