#!/bin/sh
# Measures captiond beside its peers, on this machine now, and keeps the results: a line in
# model/bench/results and the table in docs/performance.md. Arguments go to captiond bench.
# Without a Python for the peers (setup/python.sh) captiond's precisions run alone.
set -eu
cd "$(dirname "$0")/../.."

python=$(setup/python.sh) || echo "bench: without the peers, for want of a Python: see the line above" >&2
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || true)
test -z "$commit" || git diff --quiet HEAD -- '*.go' '*.py' || commit=$commit+
exec bin/captiond bench --compare --peers "$python" --commit "$commit" \
	--record model/bench/results --document docs/performance.md "$@"
