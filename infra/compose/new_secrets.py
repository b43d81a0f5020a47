"""Make the secrets of infra/compose/compose.yaml, once: `.env` and `s3.json` beside it, mode 0600, never committed."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).parent
RIGHTS = {  # SeaweedFS knows rights by bucket; on AWS the finer ones of infra/policies take their place
    "archivist": ["Read:archive", "List:archive", "Write:archive", "Tagging:archive"],
    "crawler": [
        "Read:archive",
        "List:archive",
        "Write:archive/captures",
        "Write:archive/crawls",
        "Write:archive/archive",
    ],
    "reader": ["Read:archive", "List:archive"],
}


def main(folder: Path = HERE) -> int:
    """Write both files; refuse to replace any, since the database and the store know these secrets."""
    if (folder / ".env").exists() or (folder / "s3.json").exists():
        print(f"{folder}/.env or s3.json is there already; remove both to begin anew", file=sys.stderr)
        return 1
    keys = {role: (secrets.token_hex(8), secrets.token_urlsafe(24)) for role in RIGHTS}
    values = {name: secrets.token_urlsafe(24) for name in (
        "POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_PASSWORD", "AIRFLOW_SESSION_KEY", "AIRFLOW_JWT_SECRET",
    )}  # fmt: skip
    values["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    for role, (key, secret) in keys.items():
        values |= {f"{role.upper()}_KEY": key, f"{role.upper()}_SECRET": secret}
    lines = [f"{name}={value}" for name, value in values.items()]
    lines += ["# Say who you are: it goes into the User-Agent, and nothing crawls without it.", "OPEDS_CONTACT="]
    lines += ["# Who is told (Apprise's addresses, with spaces between).", "OPEDS_NOTIFY="]
    identities = [
        {"name": role, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": RIGHTS[role]}
        for role, (key, secret) in keys.items()
    ]
    _write(folder / ".env", "\n".join(lines) + "\n")
    _write(folder / "s3.json", json.dumps({"identities": identities}, indent=1) + "\n")
    print(f"wrote {folder}/.env and s3.json; give OPEDS_CONTACT in .env before the first start")
    return 0


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
