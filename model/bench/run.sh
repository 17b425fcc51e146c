#!/bin/sh
# Measures captiond beside its peers, on this machine now, and keeps the results: a line in
# model/bench/results, the table in docs/performance.md and, of git-base, the headline in
# README.md. Arguments go to captiond bench.
# Without a Python for the peers (setup/python.sh) captiond's precisions run alone.
set -eu
cd "$(dirname "$0")/../.."

python=$(setup/python.sh) || echo "bench: without the peers, for want of a Python: see the line above" >&2
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || true)
test -z "$commit" || git diff --quiet HEAD -- '*.go' '*.c' '*.h' '*.cu' '*.py' || commit=$commit+
headline="--headline README.md"
case " $* " in *" --shape "*) headline= ;; esac # that of the README is git-base's
# shellcheck disable=SC2086 # two words, or none
exec bin/captiond bench --compare --peers "$python" --commit "$commit" \
	--record model/bench/results --document docs/performance.md $headline "$@"
