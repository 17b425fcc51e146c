package live

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

func TestBacklog(t *testing.T) {
	t.Parallel()
	b := newBacklog()
	unit := func(i int, key bool) frames.Unit {
		return frames.Unit{Key: key, Data: make([]byte, 1000), Stamp: frames.Stamp{PTS: time.Duration(i)}}
	}
	for i := range backlogUnits + 5 { // 256 fit; the next drops them all, and what is no key
		b.put(unit(i, i == 0 || i == backlogUnits+3))
	}
	b.end(errLost)
	var got []time.Duration
	for {
		u, err := b.take(t.Context())
		if err != nil {
			if !errors.Is(err, errLost) {
				t.Error(err)
			}
			break
		}
		got = append(got, u.PTS)
	}
	if len(got) != 2 || got[0] != backlogUnits+3 || b.lost() != backlogUnits+3 {
		t.Errorf("%v is left, %d lost", got, b.lost())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newBacklog().take(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	large := newBacklog()
	for range 3 {
		large.put(frames.Unit{Key: true, Data: make([]byte, backlogBytes/2)})
	}
	if large.lost() != 2 {
		t.Errorf("%d large units lost", large.lost())
	}
}

func TestInbox(t *testing.T) {
	t.Parallel()
	stats, load := new(Stats), NewLoad(1)
	b := newInbox(stats, load)
	for i := range 10 {
		b.put(letter{sample: &sample{pts: time.Duration(i)}})
		b.put(letter{window: &window{Window: frames.Window{End: time.Duration(i)}}})
		b.put(letter{notice: new(sinks.Cut)})
	}
	b.close()
	var samples, windows []time.Duration
	notices := 0
	for {
		l, ok := b.take(t.Context())
		if !ok {
			break
		}
		switch {
		case l.sample != nil:
			samples = append(samples, l.sample.pts)
		case l.window != nil:
			windows = append(windows, l.window.End)
		default:
			notices++
		}
	}
	if len(samples) != inboxSamples || samples[0] != 10-inboxSamples || len(windows) != inboxWindows || windows[1] != 9 || notices != 10 {
		t.Errorf("samples %v, windows %v, %d notices", samples, windows, notices)
	}
	if c := stats.Count(); c.DroppedSamples != 10-inboxSamples || c.DroppedWindows != 10-inboxWindows {
		t.Errorf("%+v", c)
	}
}

func TestCover(t *testing.T) {
	t.Parallel()
	img := image.NewRGBA(image.Rect(0, 0, 10, 10))
	draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
	cover(img, []Mask{{0.25, 0, 0.5, 0.11}, {0.9, 0.9, 0.5, 0.5}})
	black := color.RGBA{0, 0, 0, 255}
	for y := range 10 {
		for x := range 10 {
			want := y < 2 && x >= 2 && x < 8 || x == 9 && y == 9
			if (img.RGBAAt(x, y) == black) != want {
				t.Errorf("%d,%d is %v", x, y, img.RGBAAt(x, y))
			}
		}
	}
}

// A masked part of the picture is seen by nobody.
func TestMasked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(film(50, grey(128), nil))
		s.Masks = []Mask{{0, 0, 1, 1}}
		s.run(t, 4*time.Second)
		if len(s.parrot.shades) == 0 {
			t.Fatal("nothing was encoded")
		}
		for _, shade := range s.parrot.shades {
			if shade != 0 {
				t.Fatalf("a shade of %d was encoded", shade)
			}
		}
	})
}

func TestRing(t *testing.T) {
	t.Parallel()
	r := NewRing(time.Minute, 1<<40)
	begun := time.Now()
	shared := new(model.Features)
	for i := range 100 {
		l := Look{PTS: time.Duration(i) * time.Second, Wall: begun.Add(time.Duration(i) * time.Second), Caption: shared, Answer: shared}
		if i%2 == 0 {
			l.Caption = new(model.Features)
			l.Answer = l.Caption
		}
		r.Add("door", l)
	}
	if got := r.Past("door"); len(got) != 61 || got[0].PTS != 39*time.Second {
		t.Errorf("%d looks from %v", len(got), got[0].PTS)
	}
	r.Forget("door")
	if got := r.Past("door"); len(got) != 0 || r.Bytes() != 0 {
		t.Errorf("%d looks, %d bytes after Forget", len(got), r.Bytes())
	}
}

// All cameras together keep within the bytes; what is shared counts once.
func TestRingBytes(t *testing.T) {
	t.Parallel()
	r := NewRing(time.Hour, 1000)
	r.size = func(*model.Features) int64 { return 100 }
	begun := time.Now()
	var last *model.Features
	for i := range 60 {
		if i%3 != 2 { // every third shows nothing new
			last = new(model.Features)
		}
		source := []string{"front", "back"}[i/30]
		r.Add(source, Look{PTS: time.Duration(i), Wall: begun.Add(time.Duration(i) * time.Second), Caption: last, Answer: last})
		if r.Bytes() > 1000 {
			t.Fatalf("%d bytes after look %d", r.Bytes(), i)
		}
	}
	front, back := r.Past("front"), r.Past("back")
	if len(front) != 0 || len(back) < 14 || len(back) > 16 || back[len(back)-1].PTS != 59 {
		t.Errorf("%d and %d looks", len(front), len(back))
	}
	r.Forget("back")
	if r.Bytes() != 0 {
		t.Errorf("%d bytes after Forget", r.Bytes())
	}
}

// The first key frame may take its time: 20 s are no stall.
func TestLateKeyFrame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := func(ctx context.Context, use func(frames.Unit) error) error {
			time.Sleep(20 * time.Second)
			return film(100, grey(128), nil)(ctx, use)
		}
		s := newStudio(late)
		s.run(t, 29*time.Second)
		states := of[*sinks.Status](s.events)
		if len(states) != 3 || states[1].State != sinks.StateLive || len(of[*sinks.Caption](s.events)) < 15 {
			t.Errorf("states %+v", states)
		}
	})
}

// A hundred sessions of a flapping camera: time goes on, no id comes twice, nothing is left.
func TestFlapping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var plays []play
		for range 100 {
			plays = append(plays, film(12, grey(128), nil))
		}
		s := newStudio(plays...)
		s.run(t, 300*time.Second)
		resets, ids := of[*sinks.Reset](s.events), map[string]bool{}
		if len(resets) != 99 || len(of[*sinks.Gap](s.events)) != 99 {
			t.Errorf("%d resets, %d gaps", len(resets), len(of[*sinks.Gap](s.events)))
		}
		epoch := int64(0)
		for _, e := range s.events {
			if ids[e.Head().ID] {
				t.Errorf("%s comes twice", e.Head().ID)
			}
			ids[e.Head().ID] = true
			if e.Kind() == sinks.KindCaption {
				if e.Head().Epoch < epoch {
					t.Errorf("epoch %d after %d", e.Head().Epoch, epoch)
				}
				epoch = e.Head().Epoch
			}
		}
		if n := len(of[*sinks.Caption](s.events)); n < 200 {
			t.Errorf("%d captions of 100 sessions", n)
		}
	})
}

// Aborted, a camera ends at once, whatever the model does.
func TestAbort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(film(1000, grey(128), nil))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- runWith(ctx, nil, s) }()
		time.Sleep(5 * time.Second)
		cancel()
		begun := time.Now()
		if err := <-done; !errors.Is(err, context.Canceled) || time.Since(begun) > time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}
