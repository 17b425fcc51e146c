package live

import (
	"context"
	"errors"
	"image/color"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/frames"
)

// Who listens gets the units of a session from a key unit on, and then why it ended.
func TestTap(t *testing.T) {
	t.Parallel()
	tap := new(Tap)
	unit := func(i int, key bool) frames.Unit {
		return frames.Unit{Codec: frames.H264, Key: key, Stamp: frames.Stamp{PTS: time.Duration(i)}}
	}
	early, late := tap.Listen(), (*Listener)(nil)
	for i := range 6 {
		if i == 3 {
			late = tap.Listen()
		}
		tap.put(unit(i, i%5 == 0))
	}
	tap.end(errLost)
	after := tap.Listen()
	for name, tt := range map[string]struct {
		l           *Listener
		from, units int
		dropped     int64
	}{"early": {early, 0, 6, 0}, "late": {late, 5, 1, 2}} {
		for i := range tt.units {
			if u, err := tt.l.Next(t.Context()); err != nil || u.PTS != time.Duration(tt.from+i) {
				t.Errorf("%s: unit %d is that of %d, %v", name, i, u.PTS, err)
			}
		}
		if _, err := tt.l.Next(t.Context()); !errors.Is(err, errLost) || tt.l.Dropped() != tt.dropped {
			t.Errorf("%s: %v at the end, %d dropped, want %d", name, err, tt.l.Dropped(), tt.dropped)
		}
		tt.l.Close()
	}
	tap.put(unit(9, true))
	if u, err := after.Next(t.Context()); err != nil || u.PTS != 9 || tap.Codec() != frames.H264 {
		t.Errorf("of the next session: %d, %v", u.PTS, err)
	}
	tap.end(ErrStopped)
	for _, l := range []*Listener{after, tap.Listen()} {
		if _, err := l.Next(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("after the camera: %v", err)
		}
	}
}

// Who does not keep up loses units up to a key unit, and holds nobody up; who has gone gets none.
func TestTapSlow(t *testing.T) {
	t.Parallel()
	tap := new(Tap)
	slow, gone := tap.Listen(), tap.Listen()
	gone.Close()
	gone.Close()
	for i := range 2*backlogUnits + 1 {
		tap.put(frames.Unit{Key: i%50 == 0, Stamp: frames.Stamp{PTS: time.Duration(i)}})
	}
	first, err := slow.Next(t.Context())
	if err != nil || !first.Key || first.PTS < backlogUnits || slow.Dropped() != int64(first.PTS) {
		t.Errorf("%v: %d is first, %d were dropped", err, first.PTS, slow.Dropped())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gone.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A camera's units can be listened to while it plays, over its sessions; its last picture is
// there, masked, and stays when it is lost.
func TestWatchedCamera(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(film(30, grey(128), nil), film(30, grey(128), nil))
		s.Screen, s.Tap, s.Masks = new(Screen), new(Tap), []Mask{{X: 0, Y: 0, W: 0.5, H: 1}}
		if _, ok := s.Screen.Last(); ok {
			t.Error("a picture is there before the camera")
		}
		units, ends := 0, []error{}
		done := make(chan bool)
		l := s.Tap.Listen()
		go func() {
			defer close(done)
			for ; !errors.Is(errors.Join(ends...), ErrStopped); l = s.Tap.Listen() {
				_, err := l.Next(t.Context())
				for ; err == nil; _, err = l.Next(t.Context()) {
					units++
				}
				ends = append(ends, err)
				l.Close()
			}
		}()
		begun := time.Now()
		s.run(t, 10*time.Second)
		<-done
		l.Close()
		if units != 60 || len(ends) != 4 || !errors.Is(ends[0], errLost) {
			t.Errorf("%d units, %v", units, ends)
		}
		p, ok := s.Screen.Last()
		if !ok || p.Image.RGBAAt(0, 0) != (color.RGBA{A: 255}) || p.Image.RGBAAt(1, 0) != (color.RGBA{128, 128, 128, 255}) {
			t.Fatalf("the picture is %+v", p)
		}
		if at := p.Seen.Sub(begun); at < 6*time.Second || at > 7*time.Second || p.Time.Sub(begun)-at > 0 || at-p.Time.Sub(begun) > time.Second {
			t.Errorf("it was seen after %v, taken at %v", at, p.Time.Sub(begun))
		}
	})
}

// A glimpse is one picture, masked, or why there is none.
func TestGlimpse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		plays []play
		blind bool
		want  error
	}{
		"a camera":          {plays: []play{film(1000, grey(128), nil)}},
		"one picture alone": {plays: []play{film(1, grey(128), nil)}},
		"lost":              {plays: []play{film(0, nil, nil)}, want: errLost},
		"lost undecoded":    {plays: []play{film(3, grey(128), nil)}, blind: true, want: errLost},
		"silent":            {want: context.DeadlineExceeded},
		"undecodable":       {plays: []play{film(1000, grey(128), nil)}, blind: true, want: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStudio(tt.plays...)
				s.Decode, s.Masks = decodeWith(tt.blind), []Mask{{X: 0, Y: 0, W: 0.5, H: 1}}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				img, codec, err := s.Glimpse(ctx)
				if !errors.Is(err, tt.want) {
					t.Fatalf("%v, want %v", err, tt.want)
				}
				if tt.want == nil && (codec != frames.MJPEG || img.RGBAAt(0, 1) != (color.RGBA{A: 255}) || img.RGBAAt(1, 1).R != 128) {
					t.Errorf("%s: %v", codec, img.Pix)
				}
				if len(s.events)+s.parrot.encoded != 0 {
					t.Error("a glimpse is told of")
				}
			})
		})
	}
}
