#!/bin/sh
# Prints a Python that has the packages of model/testdata/gen/requirements.txt: the one that
# PARITY_PYTHON names, else that of a virtual environment in .tools, made where it is not yet
# there (3 GB of disk at most). Says on standard error what is missing, and fails.
set -eu
cd "$(dirname "$0")/.."
requirements=model/testdata/gen/requirements.txt

fail() {
	echo "python: $1" >&2
	exit 1
}

venv=$PWD/.tools/parity
python=${PARITY_PYTHON:-$venv/bin/python}
if [ -z "${PARITY_PYTHON:-}" ] && ! cmp -s "$requirements" "$venv/requirements.txt"; then
	command -v python3 >/dev/null || fail "Python 3.10 to 3.13 is missing: apt-get install python3 python3-venv"
	rm -rf "$venv"
	python3 -m venv "$venv" >&2 || fail "python3 cannot make virtual environments: apt-get install python3-venv"
	"$python" -m pip install --quiet --disable-pip-version-check -r "$requirements" >&2 ||
		fail "the packages of $requirements cannot be installed: see the message above"
	cp "$requirements" "$venv/requirements.txt"
fi
"$python" -c 'import torch, transformers; assert transformers.__version__ == "4.56.2", transformers.__version__' >&2 ||
	fail "$python lacks the packages of $requirements"
echo "$python"
