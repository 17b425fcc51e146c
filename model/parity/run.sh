#!/bin/sh
# Compares captiond with transformers at full size: references made by parity.py, then
# the Go test that reads them. Arguments go to parity.py (--only base, for example).
#
# PARITY_PYTHON names a Python that has the packages; else a virtual environment is
# made in .tools (3 GB of disk at most). The references go to a temporary folder, 6 GB,
# or to PARITY_DIR, where they are kept and used again.
set -eu
cd "$(dirname "$0")/../.."
requirements=model/testdata/gen/requirements.txt

fail() {
	echo "parity: $1" >&2
	exit 1
}

# find_python sets python, making the virtual environment where it is not yet there.
find_python() {
	if [ -n "${PARITY_PYTHON:-}" ]; then
		python=$PARITY_PYTHON
		return
	fi
	venv=$PWD/.tools/parity
	python=$venv/bin/python
	cmp -s "$requirements" "$venv/requirements.txt" && return
	command -v python3 >/dev/null || fail "Python 3.10 to 3.13 is missing: apt-get install python3 python3-venv"
	rm -rf "$venv"
	python3 -m venv "$venv" || fail "python3 cannot make virtual environments: apt-get install python3-venv"
	"$python" -m pip install --quiet --disable-pip-version-check -r "$requirements" ||
		fail "the packages of $requirements cannot be installed: see the message above"
	cp "$requirements" "$venv/requirements.txt"
}

find_python
"$python" -c 'import torch, transformers; assert transformers.__version__ == "4.56.2", transformers.__version__' ||
	fail "$python lacks the packages of $requirements"

folder=${PARITY_DIR:-}
if [ -z "$folder" ]; then
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
fi
"$python" model/parity/parity.py "$folder" "$@"
PARITY_DIR=$folder go test -count=1 -timeout 60m -parallel 1 -v -run '^TestParity$' ./model
