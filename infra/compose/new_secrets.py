"""Make the secrets of infra/compose/compose.yaml, once: `.env` beside it, mode 0600, never committed.

python -m infra.compose.new_secrets [FOLDER]
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).parent
PASSWORDS = (
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "AIRFLOW_PASSWORD",
    "AIRFLOW_SESSION_KEY",
    "AIRFLOW_JWT_SECRET",
    "ARCHIVIST_SECRET",
    "CRAWLER_SECRET",
    "READER_SECRET",
)


def main(folder: Path = HERE) -> int:
    """Write the file; refuse to replace it, since the database and the store know these secrets."""
    file = folder / ".env"
    if file.exists():
        print(f"{file} is there already; remove it, and the volumes, to begin anew", file=sys.stderr)
        return 1
    values = {name: secrets.token_urlsafe(24) for name in PASSWORDS}
    values |= {name: secrets.token_hex(8) for name in ("ARCHIVIST_KEY", "CRAWLER_KEY", "READER_KEY")}
    values["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    lines = [f"{name}={value}" for name, value in values.items()]
    lines += ["# Say who you are: it goes into the User-Agent, and nothing crawls without it.", "OPEDS_CONTACT="]
    lines += ["# Who is told (Apprise's addresses, with spaces between).", "OPEDS_NOTIFY="]
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n")
    print(f"wrote {file}; give OPEDS_CONTACT there before the first start")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
