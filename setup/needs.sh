# What captiond needs that Go does not bring, and whether it is there. Sourced by
# deps.sh and doctor.sh, so that both ask the same questions. POSIX sh.

ffmpeg_libraries="libavcodec libavdevice libavfilter libavformat libavutil libswresample libswscale"

runtime_version=1.27.0
runtime_library=lib/libonnxruntime.so.1

# ffmpeg_major LIBRARY: its major version in FFmpeg 5.1, the only one go-astiav v0.16.0 builds with.
ffmpeg_major() {
	case $1 in
	libavcodec | libavdevice | libavformat) echo 59 ;;
	libavfilter) echo 8 ;;
	libavutil) echo 57 ;;
	libswresample) echo 4 ;;
	libswscale) echo 6 ;;
	esac
}

# has_library LIBRARY: is FFmpeg 5.1's development package there?
has_library() {
	major=$(ffmpeg_major "$1")
	pkg-config --exists "$1 >= $major" "$1 < $((major + 1))" 2>/dev/null
}

# has_compiler: can the C compiler that cgo will call compile and link?
has_compiler() {
	echo '#include <stdlib.h>
int main(void) { return 0; }' | ${CC:-gcc} -x c -o /dev/null - 2>/dev/null
}

# has_cxx: can the C++ compiler that gocv is compiled with compile and link?
has_cxx() {
	echo '#include <vector>
int main() { return std::vector<int>().size(); }' | ${CXX:-g++} -x c++ -o /dev/null - 2>/dev/null
}

# has_opencv: is OpenCV 4.6, which gocv v0.31.0 builds with, there?
has_opencv() {
	pkg-config --exists "opencv4 >= 4.6" "opencv4 < 4.7" 2>/dev/null
}

# has_curl, has_node, has_python: what the programs in docs/clients.md, which the tests run, ask for.
has_curl() {
	curl --version 2>/dev/null | awk 'NR == 1 { split($2, v, "."); new = v[1] > 7 || v[1] == 7 && v[2] >= 82 } END { exit !new }'
}

has_node() {
	node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null
}

has_python() {
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null
}

# has_go: is Go there, and new enough for go.mod (or able to fetch what is)?
has_go() {
	command -v go >/dev/null && go list -m >/dev/null 2>&1
}

# runtime_platform: this machine, as the ONNX Runtime package spells it; fails on others.
runtime_platform() {
	case $(uname -s)-$(uname -m) in
	Linux-x86_64) echo x64 ;;
	Linux-aarch64) echo arm64 ;;
	*) return 1 ;;
	esac
}

runtime_sha256() {
	case $1 in
	x64) echo d8aff4aa8abee8fb2abb2f2f2459ffc94461e781e41b9f7c072829dd0d470221 ;;
	arm64) echo c36bc200e7e6c093b8abb0b34590fbdd8c52fd3fb5e33795b9523ffdde2fce0f ;;
	esac
}

# is_runtime FILE PLATFORM: is it the pinned library, byte for byte?
is_runtime() {
	[ -f "$1" ] && echo "$(runtime_sha256 "$2")  $1" | sha256sum --check --status 2>/dev/null
}

# missing_packages: the Debian packages that are needed and not there, on one line.
missing_packages() {
	missing=
	has_compiler || missing="$missing gcc libc6-dev"
	has_cxx || missing="$missing g++"
	command -v pkg-config >/dev/null || missing="$missing pkg-config"
	for library in $ffmpeg_libraries; do
		has_library "$library" || missing="$missing $library-dev"
	done
	has_opencv || missing="$missing libopencv-dev"
	[ -s /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
	has_curl || missing="$missing curl"
	has_node || missing="$missing nodejs"
	has_python || missing="$missing python3"
	if platform=$(runtime_platform) && ! is_runtime "$runtime_library" "$platform"; then
		command -v npm >/dev/null || missing="$missing npm"
	fi
	echo "${missing# }"
}

# apt_line PACKAGE...: what to type to install them.
apt_line() {
	echo "sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
}
