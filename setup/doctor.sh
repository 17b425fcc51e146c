#!/bin/sh
# Says what captiond needs, what of it is missing and the one line that installs it.
# Works where the program cannot start; where it can, `captiond doctor` goes on.
# Exit status 1 when something is missing.
set -u
cd "$(dirname "$0")/.." || exit 1
. setup/needs.sh
status=0

# report NAME FIX COMMAND...: is the command's answer yes?
report() {
	name=$1 fix=$2
	shift 2
	if "$@" >/dev/null 2>&1; then
		printf 'ok       %s\n' "$name"
	else
		printf 'missing  %s\n           %s\n' "$name" "$fix"
		status=1
	fi
}

doctor_runtime() {
	if [ -n "${CAPTIOND_MODEL_LIBRARY:-}" ]; then
		report "ONNX Runtime ($CAPTIOND_MODEL_LIBRARY, from CAPTIOND_MODEL_LIBRARY)" \
			"there is no such file: correct the variable or unset it" test -f "$CAPTIOND_MODEL_LIBRARY"
	elif platform=$(runtime_platform); then
		report "ONNX Runtime $runtime_version ($runtime_library)" "make deps" is_runtime "$runtime_library" "$platform"
	else
		report "ONNX Runtime $runtime_version" "no library for $(uname -m): build it and name it in CAPTIOND_MODEL_LIBRARY" false
	fi
}

report "Go $(sed -n 's/^go //p' go.mod) or later" "install it from https://go.dev/dl" has_go
report "C compiler" "$(apt_line gcc libc6-dev)" has_compiler
report "C++ compiler" "$(apt_line g++)" has_cxx
report "pkg-config" "$(apt_line pkg-config)" command -v pkg-config
for library in $ffmpeg_libraries; do
	report "$library $(ffmpeg_major "$library") (FFmpeg 5.1)" "$(apt_line "$library-dev")" has_library "$library"
done
report "OpenCV 4.6" "$(apt_line libopencv-dev)" has_opencv
report "curl 7.82 or later (for tests)" "$(apt_line curl)" has_curl
report "Node.js 18 or later (for tests)" "$(apt_line nodejs)" has_node
report "Python 3.8 or later (for tests)" "$(apt_line python3)" has_python
doctor_runtime

packages=$(missing_packages)
[ -z "$packages" ] || printf '\nall that is missing from Debian 12 at once:\n  %s\n' "$(apt_line "$packages")"
[ $status = 0 ] || exit $status

if [ ! -x bin/captiond ]; then
	echo "not built yet: make build"
	exit 0
fi
if ! bin/captiond version >/dev/null 2>&1; then
	echo "bin/captiond does not start:"
	bin/captiond version
	exit 1
fi
echo
exec bin/captiond doctor
