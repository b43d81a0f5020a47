"""Follow the log with boto3 and the reader's key; nothing of joongang-opeds is imported.

eval "$(opeds store key)" && python docs/examples/poll_changes.py 0
"""

import json
import os
import sys

import boto3
from botocore.exceptions import ClientError

bucket, _, prefix = os.environ.get("OPEDS_ARCHIVE", "s3://archive").removeprefix("s3://").partition("/")
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
names = {"NEW": "added", "REVISED": "revised", "COPY": "copied", "GONE": "gone", "WITHDRAWN": "withdrawn"}
seq = int(sys.argv[1]) if len(sys.argv) > 1 else 0
while True:
    seq += 1
    key = "/".join(filter(None, (prefix, f"runs/{seq:010d}.json")))
    try:
        manifest = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
            break  # the end of the log: numbers have no gaps
        raise
    for outcome in manifest["outcomes"]:
        change = names.get(outcome["verdict"], "")
        if outcome["verdict"] == "REREAD" and outcome["was"] != outcome["content16"]:
            change = "renamed"
        if change:
            print(json.dumps({"seq": seq, "change": change, "article_id": outcome["article_id"]}))
