package ffmpeg

import (
	"reflect"
	"testing"

	"github.com/asticode/go-astiav"
)

// TestNativeLayout: native.go takes the first field of go-astiav's wrappers for the C
// pointer.
func TestNativeLayout(t *testing.T) {
	t.Parallel()
	for _, w := range []any{astiav.Stream{}, astiav.CodecContext{}, astiav.InputFormat{}, astiav.FormatContext{}} {
		if f := reflect.TypeOf(w).Field(0); f.Name != "c" || f.Type.Kind() != reflect.Pointer {
			t.Errorf("%T begins with %s %s", w, f.Name, f.Type)
		}
	}
}

func TestLibraries(t *testing.T) {
	t.Parallel()
	v := Libraries()
	for _, name := range []string{"ffmpeg", "libavcodec", "libavfilter", "libavformat", "libavutil"} {
		if v[name] == "" {
			t.Errorf("no version of %s in %v", name, v)
		}
	}
}
