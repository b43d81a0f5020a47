#!/bin/sh
# What the image holds: the locked dependencies by hash, then our wheel; compiled, so that tasks start at once.
#   sh infra/image/install.sh /path/to/python [lock file]      (run from the project's root)
set -eu
python=$1
lock=${2:-requirements-airflow.lock}
"$python" -m pip install -q --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
  -r "$lock"
"$python" -m pip install -q --disable-pip-version-check --no-cache-dir --no-deps --no-build-isolation .
"$python" -m compileall -q -j 0 "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" || true
"$python" -m pip check --disable-pip-version-check
