#!/bin/sh
# Compares captiond with transformers at full size: references made by parity.py, then
# the Go test that reads them. Arguments go to parity.py (--only base, for example).
#
# PARITY_PYTHON names a Python that has the packages; else setup/python.sh makes one. The
# references go to a temporary folder, 6 GB, or to PARITY_DIR, where they are kept and used
# again.
set -eu
cd "$(dirname "$0")/../.."
python=$(setup/python.sh)
folder=${PARITY_DIR:-}
if [ -z "$folder" ]; then
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
fi
"$python" model/parity/parity.py "$folder" "$@"
PARITY_DIR=$folder go test -count=1 -timeout 60m -parallel 1 -v -run '^TestParity$' ./model
