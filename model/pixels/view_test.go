package pixels

import (
	"image"
	"strings"
	"testing"
)

func TestParseView(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, out string
		rect    image.Rectangle // in a picture of 200 x 100
	}{
		{"", "crop", image.Rect(0, 0, 200, 100)},
		{"crop", "crop", image.Rect(0, 0, 200, 100)},
		{"squash", "squash", image.Rect(0, 0, 200, 100)},
		{"0.5,0,0.5,1", "0.5,0,0.5,1", image.Rect(100, 0, 200, 100)},
		{" 0.1, 0.2 ,0.9,.8", "0.1,0.2,0.9,0.8", image.Rect(20, 20, 200, 100)},
		{"1e-1,0,.9,1", "0.1,0,0.9,1", image.Rect(20, 0, 200, 100)},
		{"0.999,0.999,1e-9,1e-9", "0.999,0.999,1e-09,1e-09", image.Rect(199, 99, 200, 100)},
		{"1,1,1e-10,1e-10", "1,1,1e-10,1e-10", image.Rect(199, 99, 200, 100)},
	} {
		v, err := ParseView(c.in)
		if err != nil || v.String() != c.out || v.rect(200, 100) != c.rect {
			t.Errorf("%q: %q %v %v, want %q %v", c.in, v, v.rect(200, 100), err, c.out, c.rect)
		}
		if again, err := ParseView(v.String()); err != nil || again != v {
			t.Errorf("%q does not come back: %v %v", v, again, err)
		}
	}
}

func TestParseViewRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"Crop", "fit", "0,0,1", "0,0,1,1,1", "0,0,0,1", "0,0,1,0", "-0.1,0,1,1", "0.5,0,0.6,1",
		"0,0.5,1,0.6", "NaN,0,1,1", "0,0,Inf,1", "0,0,1,2", "a,b,c,d", ",,,", "0;0;1;1",
	} {
		if v, err := ParseView(s); err == nil || !strings.Contains(err.Error(), "want crop, squash") {
			t.Errorf("%q: %v, %v", s, v, err)
		}
	}
}

func FuzzParseView(f *testing.F) {
	for _, s := range []string{"crop", "squash", "0.5,0,0.5,1", "1,1,1e-300,1e-300", "0x1p-2,0,1,1", "0,0,1"} {
		f.Add(s, 640, 480)
	}
	f.Fuzz(func(t *testing.T, s string, w, h int) {
		v, err := ParseView(s)
		if err != nil || w < 1 || h < 1 || w > maxSource || h > maxSource {
			return
		}
		r := v.rect(w, h)
		if r.Empty() || !r.In(image.Rect(0, 0, w, h)) {
			t.Errorf("%q is %v in %dx%d", s, r, w, h)
		}
		if again, err := ParseView(v.String()); err != nil || again != v {
			t.Errorf("%q became %q", s, v)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	bad := func(change func(*Transform)) Transform {
		t := Microsoft(224)
		change(&t)
		return t
	}
	for want, transform := range map[string]Transform{
		"shortest edge is 0":          bad(func(t *Transform) { t.Edge = 0 }),
		"shortest edge is 1000000":    bad(func(t *Transform) { t.Edge = 1000000 }),
		"longest edge is 100":         MicrosoftVQA(480, 100),
		"resize 9 is unknown":         bad(func(t *Transform) { t.Resize = 9 }),
		"filter 7 is unknown":         bad(func(t *Transform) { t.Filter = 7 }),
		"crop height is 0":            bad(func(t *Transform) { t.CropHeight = 0 }),
		"nothing is cropped":          bad(func(t *Transform) { t.CropWidth, t.CropHeight = 0, 0 }),
		"standard deviation 0":        bad(func(t *Transform) { t.Std[1] = 0 }),
		"width is 0":                  {Resize: Exact, Height: 3},
		"height is -3":                {Resize: Exact, Width: 3, Height: -3},
		"nothing is cropped, so that": {},
	} {
		if p, err := New(transform); p != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	_, err := New(Transform{Resize: Exact, Filter: 5})
	if n := strings.Count(err.Error(), "check image transform"); n != 3 {
		t.Errorf("%d problems are named, want 3: %v", n, err)
	}
}
