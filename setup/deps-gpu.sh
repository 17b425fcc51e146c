#!/bin/sh
# Brings the libraries that captiond needs to run a model on an NVIDIA GPU to lib/cuda:
# setup/gpu.txt lists them with their hashes. Does nothing where they are there. Needs no GPU.
set -eu
cd "$(dirname "$0")/.."
list=setup/gpu.txt
folder=lib/cuda

fail() {
	printf 'make deps-gpu: %s\n' "$@" >&2
	exit 1
}

# fetch FOLDER: the wheels, each checked by pip; none is installed.
fetch() {
	python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
		--only-binary=:all: --implementation cp --python-version 3.11 \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
		--platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
		--dest "$1" --requirement "$list"
}

# unpack FOLDER: the shared libraries of the wheels there, side by side in FOLDER/cuda.
unpack() {
	mkdir "$1/cuda"
	for wheel in "$1"/*.whl; do
		python3 -m zipfile -e "$wheel" "$1/wheel"
		find "$1/wheel" -name 'lib*.so*' ! -name '*.alt.so*' ! -name 'libcufftw*' ! -name 'libnvblas*' \
			-exec mv {} "$1/cuda" \;
		rm -r "$1/wheel" "$wheel"
	done
	mv "$1/cuda/libonnxruntime.so.1.27.0" "$1/cuda/libonnxruntime.so.1"
}

# The list lies beside what was unpacked from it.
! cmp -s "$list" "$folder/gpu.txt" || exit 0
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
	fail "ONNX Runtime is published for NVIDIA GPUs on x86-64 Linux alone; this is $(uname -s) $(uname -m)"
python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing; as root, type: apt-get install -y python3-pip"
echo "make deps-gpu: fetching ONNX Runtime for CUDA 13 and the libraries that it needs (1.4 GB, once)"
mkdir -p lib
fetched=$(mktemp -d lib/fetch.XXXXXX)
trap 'rm -rf "$fetched"' EXIT
trap 'exit 130' INT TERM
fetch "$fetched" || fail "pip download failed, see above; the list is $list"
unpack "$fetched"
cp "$list" "$fetched/cuda/gpu.txt"
rm -rf "$folder"
mv "$fetched/cuda" "$folder"
[ -e /dev/nvidiactl ] || echo "make deps-gpu: there is no NVIDIA driver here: models run on the cpu until there is one (580 or later)"
