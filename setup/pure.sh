#!/bin/sh
# Shows that C is only where it may be: all other packages build, and pass vet with
# their tests, without cgo. Tests that drive a real library are vetted with cgo instead.
set -eu
cd "$(dirname "$0")/.."
module=$(go list -m)
with_c="$module/(demo/camera|demo/film|demo/render|frames/ffmpeg|frames/framestest[^ ]*|frames/opencv|model/ort[^ ]*|cmd/[^ ]*)"

pure=$(go list ./... | grep -Evx "$with_c")
vetted=$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
	grep -Ev "(^| )$with_c( |\$)" | cut -d' ' -f1)
export CGO_ENABLED=0
# shellcheck disable=SC2086 # lists of words
go build $pure
# shellcheck disable=SC2086
go vet $vetted
