#!/bin/sh
# Prints the first Python on PATH that is new enough and can make a virtual environment; says what to do when there is none.
# Each candidate is run, not only looked up: a version manager's shim exists for versions that are not active.
# PYTHON=/path/to/python chooses one.
set -eu

usable='import sys, venv, ensurepip; raise SystemExit(sys.version_info < (3, 11))'

for name in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    if "$name" -c "$usable" >/dev/null 2>&1; then
        command -v "$name"
        exit 0
    fi
done

{
    echo "Quarterdeck needs Python 3.11 or newer with the venv module, and found none."
    if command -v python3 >/dev/null 2>&1; then
        echo "python3 here is $(python3 -V 2>&1)."
        if python3 -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "It is new enough, but venv or ensurepip is missing: on Debian and Ubuntu run 'apt-get install python3-venv'."
        fi
    fi
    echo "Where it is installed elsewhere: make PYTHON=/path/to/python3.11 setup"
} >&2
exit 1
