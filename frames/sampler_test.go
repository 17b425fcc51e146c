package frames

import (
	"slices"
	"testing"
	"time"
)

// A run is what a sampler said of a stream.
type run struct {
	sampler *Sampler
	samples []time.Duration // PTS, since the last barrier
	all     int             // of samples
	shown   time.Duration
	windows []Window
	picked  [][]time.Duration // for each window, PTS for each instant
}

// take keeps what a step says, as whoever decodes does.
func (r *run) take(s Step) {
	if s.Sample {
		r.samples = append(r.samples, r.shown)
		r.all++
	}
	if s.Window == nil {
		return
	}
	r.windows = append(r.windows, *s.Window)
	var pts []time.Duration
	for _, i := range r.sampler.Pick(*s.Window, r.samples) {
		pts = append(pts, r.samples[i])
	}
	r.picked = append(r.picked, pts)
}

func (r *run) frame(pts time.Duration) {
	r.take(r.sampler.Frame(pts))
	r.shown = pts
}

func (r *run) barrier(at time.Duration) {
	r.take(r.sampler.Barrier(at))
	r.samples = nil
}

// steady is frames at a rate from one time to another.
func (r *run) steady(from, to, step time.Duration) {
	for t := from; t < to; t += step {
		r.frame(t)
	}
}

const ms, sec = time.Millisecond, time.Second

func newRun(length, every time.Duration) *run {
	return &run{sampler: &Sampler{Length: length, Every: every, Samples: 6}}
}

// TestSamplerSlides has a window each second; each full one shows the very frames that were
// on screen at its instants, and costs one sample.
func TestSamplerSlides(t *testing.T) {
	t.Parallel()
	const frame = 40 * ms
	r := newRun(6*sec, sec)
	r.steady(100*ms, 20*sec+200*ms, frame)
	if len(r.windows) != 20 || r.all != 20 {
		t.Errorf("%d windows and %d samples in 20 s, want 20 of each", len(r.windows), r.all)
	}
	for i, w := range r.windows {
		end := 100*ms + time.Duration(i+1)*sec
		if want := (Window{max(100*ms, end-6*sec), end}); w != want {
			t.Errorf("window %d is %v, want %v", i, w, want)
		}
		for k, at := range w.Instants(6) {
			onScreen := 100*ms + (at - 100*ms).Truncate(frame)
			if off := onScreen - r.picked[i][k]; i >= 5 && off != 0 || off < 0 && r.picked[i][k] != r.picked[0][0] || off > sec {
				t.Errorf("window %d shows the frame of %v at %v, want that of %v", i, r.picked[i][k], at, onScreen)
			}
		}
	}
}

func TestSamplerWindows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		length, every time.Duration
		play          func(*run)
		want          []Window
	}{
		{"one frame", 6 * sec, sec, func(r *run) { r.frame(0) }, nil},
		{"a stretch before the first window", 6 * sec, 2 * sec, func(r *run) { r.steady(0, sec, 40*ms); r.barrier(sec) }, []Window{{0, sec}}},
		{"one frame, then a cut", 6 * sec, 2 * sec, func(r *run) { r.frame(0); r.barrier(500 * ms) }, []Window{{0, 500 * ms}}},
		{"no time at all", 6 * sec, 2 * sec, func(r *run) { r.frame(sec); r.barrier(sec) }, nil},
		{"a cut after a window", 6 * sec, 2 * sec, func(r *run) { r.steady(0, 3*sec, 40*ms); r.barrier(3 * sec) }, []Window{{0, 2 * sec}}},
		{"two stretches", 3 * sec, 3 * sec, func(r *run) {
			r.steady(0, 4*sec, 40*ms)
			r.barrier(4 * sec)
			r.steady(4*sec, 8*sec, 40*ms)
			r.barrier(8 * sec)
		}, []Window{{0, 3 * sec}, {4 * sec, 7 * sec}}},
		{"barrier before anything", 6 * sec, sec, func(r *run) { r.barrier(0); r.barrier(sec) }, nil},
		{"a slow camera", 6 * sec, sec, func(r *run) { r.steady(0, 13*sec, 4*sec) }, []Window{{0, 4 * sec}, {2 * sec, 8 * sec}, {6 * sec, 12 * sec}}},
		{"strides shorter than the first sample", 6 * sec, 200 * ms, func(r *run) { r.steady(0, sec, 40*ms) }, []Window{{0, 600 * ms}, {0, 800 * ms}}},
		{"a long stretch without a sample", 60 * sec, sec, func(r *run) { r.steady(0, 4*sec, 40*ms); r.barrier(4 * sec) }, []Window{{0, 4 * sec}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(test.length, test.every)
			test.play(r)
			if !slices.Equal(r.windows, test.want) {
				t.Errorf("windows %v, want %v", r.windows, test.want)
			}
		})
	}
}

// FuzzSampler feeds any frames and barriers: windows stay within their stretch, in order,
// never outnumber frames, and there is always a sample to show.
func FuzzSampler(f *testing.F) {
	f.Add([]byte{1, 1, 1, 255, 40, 0, 200}, uint16(6000), uint16(1000))
	f.Add([]byte{0, 0, 0}, uint16(1), uint16(1))
	f.Fuzz(func(t *testing.T, steps []byte, length, every uint16) {
		r := newRun(time.Duration(max(length, 6))*ms, time.Duration(max(every, 1))*ms)
		now, barrier, frames, told := time.Duration(0), time.Duration(0), 0, 0
		for _, b := range steps {
			now += time.Duration(b) * 10 * ms
			if b == 255 {
				r.barrier(now)
				barrier = now
			} else {
				r.frame(now)
				frames++
			}
			for _, w := range r.windows[told:] {
				if w.End > now || w.Start > w.End || b != 255 && w.Start < barrier {
					t.Fatalf("window %v at %v, barrier at %v", w, now, barrier)
				}
			}
			told = len(r.windows)
		}
		if told > frames || r.all > frames {
			t.Fatalf("%d windows and %d samples of %d frames", told, r.all, frames)
		}
	})
}
