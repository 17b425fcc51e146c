#!/bin/sh
# Brings what captiond and its tests need and Go does not: Debian's FFmpeg 5.1, OpenCV 4.6 and
# compilers, curl, Node.js and Python, and ONNX Runtime's shared library in lib/. Does nothing
# where all is there.
set -eu
cd "$(dirname "$0")/.."
. setup/needs.sh

fail() {
	printf 'make deps: %s\n' "$@" >&2
	exit 1
}

# retry COMMAND...: three tries, for networks that hiccup.
retry() {
	for pause in 2 8 0; do
		"$@" && return 0
		[ "$pause" = 0 ] || sleep "$pause"
	done
	return 1
}

install_packages() {
	packages=$(missing_packages)
	[ -n "$packages" ] || return 0
	command -v apt-get >/dev/null || fail \
		"missing: $packages (Debian's names)" \
		"FFmpeg must be 5.1, the version of Debian 12; elsewhere build in the container: docker build -t captiond ."
	[ "$(id -u)" = 0 ] || fail "missing packages; as root, type:" "$(apt_line "$packages")"
	echo "make deps: installing $packages"
	export DEBIAN_FRONTEND=noninteractive
	retry apt-get update -q || fail "apt-get update failed, see above"
	# shellcheck disable=SC2086 # a list of words
	retry apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 $packages ||
		fail "apt-get install failed, see above"
	packages=$(missing_packages)
	[ -z "$packages" ] || fail \
		"still missing or of another version after the installation: $packages" \
		"FFmpeg must be 5.1, the version of Debian 12; elsewhere build in the container: docker build -t captiond ."
}

fetch_runtime() {
	platform=$(runtime_platform) || fail \
		"no ONNX Runtime $runtime_version is known for $(uname -s) $(uname -m)" \
		"build its shared library and name it in CAPTIOND_MODEL_LIBRARY"
	! is_runtime "$runtime_library" "$platform" || return 0
	echo "make deps: fetching ONNX Runtime $runtime_version for $platform (101 MB, once)"
	mkdir -p lib
	fetched=$(mktemp -d lib/fetch.XXXXXX)
	trap 'rm -rf "$fetched"' EXIT
	trap 'exit 130' INT TERM
	retry pack "$fetched" || fail "npm pack onnxruntime-node@$runtime_version failed, see above"
	library=package/bin/napi-v6/linux/$platform/libonnxruntime.so.1
	tar -xzf "$fetched/onnxruntime-node-$runtime_version.tgz" -C "$fetched" "$library"
	is_runtime "$fetched/$library" "$platform" ||
		fail "the ONNX Runtime that was fetched is not the one expected: its SHA-256 differs"
	mv "$fetched/$library" "$runtime_library"
}

# pack FOLDER: the package as it is published; none of its scripts runs.
pack() {
	(cd "$1" && npm pack --ignore-scripts --silent "onnxruntime-node@$runtime_version" >/dev/null)
}

has_go || fail "Go is missing, or older than go.mod asks for: install Go 1.26 or later"
install_packages
fetch_runtime
