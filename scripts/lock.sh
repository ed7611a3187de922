#!/bin/sh
# Writes the two lock files: exact versions with hashes, for every platform and for Python 3.11 and up.
# Pins that still fit stay as they are; UPGRADE=1 moves all of them to the newest.
set -eu

compile() {
    .venv/bin/uv pip compile pyproject.toml "$@" ${UPGRADE:+--upgrade} \
        --universal --python-version 3.11 --generate-hashes --quiet \
        --no-emit-index-url --no-emit-find-links --no-emit-build-options \
        --custom-compile-command "make lock"
}

.venv/bin/uv --version >/dev/null 2>&1 || .venv/bin/python -m pip install --quiet "uv==0.13.8"
compile --extra google --output-file requirements.lock
compile --extra google --group dev --constraints requirements.lock --output-file requirements-dev.lock
grep -c '^[a-z]' requirements.lock requirements-dev.lock | sed 's/$/ packages/'
