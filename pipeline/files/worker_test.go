package files

import (
	"context"
	"errors"
	"image"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// bubble runs a test in time of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// long is a film of 20 windows of 10 s, which takes a minute.
func long() *film { return &film{n: 200, rate: 1, takes: 500 * time.Millisecond} }

func on(f *film) *stage { return &stage{footage: pipeline.Footage{Clip: f}} }

func TestJob(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(long())
		b.queue(t, Options{})
		v := ended(t, s.worker(b), b)
		if v.State != sinks.JobDone || v.Attempt != 1 || v.Progress != 1 || v.Captions != 20 || v.Failures != 0 ||
			v.Duration.Duration() != 200*time.Second || v.Model != "parrot@000000000000" || v.Detail != "" {
			t.Errorf("the record is %+v", v)
		}
		if got := len(b.captions(t)); got != 20 || s.shown.Load() != 1 {
			t.Errorf("%d captions by %d attempts", got, s.shown.Load())
		}
		checkTold(t, b, sinks.JobDone)
	})
}

// checkTold sees that the events of a job never go back, and end with its end, once.
func checkTold(t *testing.T, b *broker, end sinks.JobState) {
	t.Helper()
	told := b.told()
	ids := map[string]bool{}
	for i, e := range told {
		if ids[e.ID] {
			t.Errorf("event %d is there twice: %+v", i, e)
		}
		ids[e.ID] = true
		if i == 0 {
			continue
		}
		before := told[i-1]
		if e.Progress < before.Progress || e.Attempt < before.Attempt {
			t.Errorf("event %d goes back: %+v after %+v", i, e, before)
		}
		if e.State == before.State && e.Attempt == before.Attempt && percent(e.Progress) == percent(before.Progress) {
			t.Errorf("event %d tells no more: %+v", i, e)
		}
	}
	if last := told[len(told)-1]; last.State != end {
		t.Errorf("the last event is %+v, want %s", last, end)
	}
}

func TestProgressIsToldOnceASecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(&film{n: 20000, rate: 25, takes: time.Millisecond})
		b.queue(t, Options{Every: 1000})
		begun := time.Now()
		ended(t, s.worker(b), b)
		seconds := int(time.Since(begun) / time.Second)
		if n := len(b.told()); n < 4 || n > seconds+3 {
			t.Errorf("%d events in %d s", n, seconds)
		}
		checkTold(t, b, sinks.JobDone)
	})
}

func TestWaysToCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, tt := range []struct {
			o    Options
			want int
		}{{Options{Whole: true}, 1}, {Options{Every: 50000}, 4}, {Options{}, 20}} {
			if got := len(undisturbed(t, long(), tt.o)); got != tt.want {
				t.Errorf("%+v: %d captions, want %d", tt.o, got, tt.want)
			}
		}
	})
}

// An eye that sees the same everywhere, or nothing.
type eye struct{ fail error }

func (e eye) Sketch(*image.RGBA) (frames.Sketch, error) {
	return frames.Sketch{RGB: make([]uint8, 3*frames.SketchWidth*frames.SketchHeight)}, e.fail
}

func TestScenes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(long())
		b.queue(t, Options{Scenes: true})
		w := s.worker(b)
		w.Eye = eye{}
		if v := ended(t, w, b); v.State != sinks.JobDone || v.Captions != 1 {
			t.Errorf("the record is %+v", v)
		}
		b = newBroker()
		b.queue(t, Options{Scenes: true})
		w = on(long()).worker(b)
		w.Eye = eye{errors.New("no OpenCV")}
		if v := ended(t, w, b); v.State != sinks.JobFailed || !strings.Contains(v.Detail, "no OpenCV") {
			t.Errorf("the record is %+v", v)
		}
	})
}

// A stop at any time costs nothing but time, however often.
func TestStopHandsBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		want := undisturbed(t, long(), Options{})
		b, s := newBroker(), on(long())
		b.queue(t, Options{})
		for i := range 30 {
			stop := time.Now().Add(time.Duration(i) * 150 * time.Millisecond)
			until(t, s.worker(b), func() bool { return time.Now().After(stop) })
			v := b.video()
			if v.State != sinks.JobQueued || v.Failures != 0 {
				t.Fatalf("after stop %d the record is %+v", i, v)
			}
		}
		begun := time.Now()
		if v := ended(t, s.worker(b), b); v.State != sinks.JobDone || v.Captions != 20 {
			t.Errorf("the record is %+v", v)
		}
		if s.shown.Load() < 25 || time.Since(begun) > time.Minute {
			t.Errorf("%d attempts, the last took %v", s.shown.Load(), time.Since(begun))
		}
		same(t, "after stops", b.captions(t), want)
		checkTold(t, b, sinks.JobDone)
	})
}

// What makes no progress is begun again, and at last given up.
func TestNoProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := long()
		f.before = func(ctx context.Context, n int) error {
			if n < 100 {
				return nil
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}
		b, s := newBroker(), on(f)
		b.queue(t, Options{})
		v := ended(t, s.worker(b), b)
		if v.State != sinks.JobFailed || v.Captions != 10 || len(b.captions(t)) != 10 || !strings.Contains(v.Detail, "no progress for 30s") {
			t.Errorf("%d captions and %+v", len(b.captions(t)), v)
		}
		if s.shown.Load() != 5 { // the first came further
			t.Errorf("%d attempts", s.shown.Load())
		}
		checkTold(t, b, sinks.JobFailed)
	})
}

// Attempts that get further may be any number.
func TestAttemptsThatGetFurtherDoNotCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		want := undisturbed(t, long(), Options{})
		b, s := newBroker(), on(long())
		said := 0
		s.parrot.before = func(context.Context) error {
			if said++; said%2 == 0 {
				return errors.New("the device was reset")
			}
			return nil
		}
		b.queue(t, Options{})
		w := s.worker(b)
		w.Attempts = 2
		if v := ended(t, w, b); v.State != sinks.JobDone || v.Attempt < 20 {
			t.Errorf("the record is %+v", v)
		}
		same(t, "after errors", b.captions(t), want)
	})
}

func TestErrorsOfTheModelAreGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(long())
		s.parrot.before = func(context.Context) error { return errors.New("no memory") }
		b.queue(t, Options{})
		v := ended(t, s.worker(b), b)
		if v.State != sinks.JobFailed || s.shown.Load() != 4 || !strings.Contains(v.Detail, "given up after 4 attempts") || !strings.Contains(v.Detail, "no memory") {
			t.Errorf("after %d attempts %+v", s.shown.Load(), v)
		}
	})
}

// What is wrong with the file is told at once, and what it showed before stays.
func TestBrokenFile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		want := undisturbed(t, long(), Options{})
		broken := long()
		broken.before = func(_ context.Context, n int) error {
			if n >= 95 {
				return &FileError{errors.New("invalid data")}
			}
			return nil
		}
		damaged := long()
		damaged.damage = 195
		for _, tt := range []struct {
			name, detail string
			s            *stage
			captions     int
		}{
			{"cannot be opened", "no video", &stage{before: func(int) error { return &FileError{errors.New("no video in it")} }}, 0},
			{"breaks off", "invalid data", on(broken), 9},
			{"damaged", "ends early", on(damaged), 20},
		} {
			b := newBroker()
			b.queue(t, Options{})
			v := ended(t, tt.s.worker(b), b)
			if v.State != sinks.JobFailed || v.Attempt != 1 || !strings.Contains(v.Detail, tt.detail) {
				t.Errorf("%s: the record is %+v", tt.name, v)
			}
			same(t, tt.name, b.captions(t), want[:tt.captions])
		}
	})
}

// A decoder that breaks down without the file being at fault is tried again.
func TestDecoderIsKilled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		want := undisturbed(t, long(), Options{})
		f := long()
		var killed atomic.Bool
		f.before = func(_ context.Context, n int) error {
			if n >= 95 && !killed.Swap(true) {
				return errors.New("decoder was killed")
			}
			return nil
		}
		b, s := newBroker(), on(f)
		b.queue(t, Options{})
		if v := ended(t, s.worker(b), b); v.State != sinks.JobDone || v.Attempt != 2 {
			t.Errorf("the record is %+v", v)
		}
		same(t, "with a decoder that was killed", b.captions(t), want)
	})
}

// Damage that only an attempt before this one saw is told in the end.
func TestDamageIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		damaged := long()
		damaged.damage = 50
		b, s := newBroker(), on(damaged)
		b.queue(t, Options{})
		until(t, s.worker(b), func() bool { return len(b.captions(t)) > 8 })
		s = on(long())
		if v := ended(t, s.worker(b), b); v.State != sinks.JobFailed || v.Detail != "the file ends early" || v.Captions != 20 {
			t.Errorf("the record is %+v", v)
		}
	})
}

// A broker that goes away and comes back again costs no attempt and no caption.
func TestBrokerThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		want := undisturbed(t, long(), Options{})
		b, s := newBroker(), on(long())
		b.queue(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var cutting sync.WaitGroup
		cutting.Go(func() {
			for i := 1; sleep(ctx, time.Duration(i)*1100*time.Millisecond); i++ {
				b.away.Store(true)
				if i%3 == 0 {
					sleep(ctx, 10*time.Minute)
				}
				sleep(ctx, 700*time.Millisecond)
				b.away.Store(false)
			}
		})
		w := s.worker(b)
		w.Attempts = 1
		v := ended(t, w, b)
		cancel()
		cutting.Wait()
		if v.State != sinks.JobDone || v.Attempt < 3 {
			t.Errorf("the record is %+v", v)
		}
		same(t, "with a broker that was away", b.captions(t), want)
		checkTold(t, b, sinks.JobDone)
	})
}

// A cancelled job ends within 2 s, in the middle of whatever is under way.
func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(long())
		said := 0
		s.parrot.before = func(ctx context.Context) error {
			if said++; said < 4 {
				return nil
			}
			<-ctx.Done() // a long run of the model
			return context.Cause(ctx)
		}
		b.queue(t, Options{})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.worker(b).Run(ctx) })
		sleep(ctx, 20*time.Second)
		cancelRecord(t, b)
		sleep(ctx, 2*time.Second)
		if b.waiting() != 0 {
			t.Error("after 2 s the job is still in the queue")
		}
		stop()
		running.Wait()
		if v := b.video(); v.State != sinks.JobCancelled || len(b.captions(t)) != 3 {
			t.Errorf("%d captions and %+v", len(b.captions(t)), v)
		}
		checkTold(t, b, sinks.JobCancelled)
	})
}

// cancelRecord does as the service does: the record says so first.
func cancelRecord(t *testing.T, b *broker) {
	t.Helper()
	for {
		v, revision, err := b.Get(t.Context(), testID)
		if err != nil {
			t.Fatal(err)
		}
		v.State, v.Detail = sinks.JobCancelled, "it was cancelled"
		if _, err = b.Put(t.Context(), v, revision); err == nil {
			return
		}
	}
}

// What has ended, or is not known, leaves the queue; the end is told, once.
func TestLeftovers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(long())
		b.queue(t, Options{})
		cancelRecord(t, b)
		ended(t, s.worker(b), b)
		b.jobs[testID] = time.Now()
		ended(t, s.worker(b), b)
		if told := b.told(); len(told) != 1 || told[0].State != sinks.JobCancelled || s.shown.Load() != 0 {
			t.Errorf("%d attempts, told %+v", s.shown.Load(), told)
		}
		b.jobs["ffffffffffffffffffffffffffffffff"] = time.Now()
		until(t, s.worker(b), func() bool { return b.waiting() == 0 })
	})
}

// A video that is deleted while it is captioned leaves nothing.
func TestDeletedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(long())
		b.queue(t, Options{})
		until(t, s.worker(b), func() bool {
			if len(b.captions(t)) == 5 {
				b.mu.Lock()
				delete(b.records, testID)
				b.mu.Unlock()
			}
			return b.waiting() == 0
		})
		if len(b.captions(t)) != 0 || len(b.told()) != 0 {
			t.Errorf("%d captions and %d events are left", len(b.captions(t)), len(b.told()))
		}
	})
}

// Captions of another model are not gone on with.
func TestOtherModel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(long())
		b.queue(t, Options{})
		until(t, s.worker(b), func() bool { return len(b.captions(t)) == 5 })
		first := b.captions(t)
		s.model = "111111111111"
		if v := ended(t, s.worker(b), b); v.State != sinks.JobDone || v.Model != "parrot@111111111111" || v.Captions != 20 {
			t.Errorf("the record is %+v", v)
		}
		if got := b.captions(t); len(got) != 20 || got[0] == first[0] {
			t.Errorf("captions %q", got)
		}
	})
}

func TestPicture(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), &stage{footage: pipeline.Footage{Picture: image.NewRGBA(image.Rect(0, 0, 1, 1))}}
		b.queue(t, Options{})
		if v := ended(t, s.worker(b), b); v.State != sinks.JobDone || v.Captions != 1 || v.Duration != 0 || v.Progress != 1 {
			t.Errorf("the record is %+v", v)
		}
		if got := b.captions(t); len(got) != 1 {
			t.Errorf("captions %q", got)
		}
	})
}

func TestFileThatIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, s := newBroker(), on(long())
		b.queue(t, Options{})
		w := s.worker(b)
		w.Open = func(context.Context, string, func()) (*os.File, error) { return nil, os.ErrNotExist }
		if v := ended(t, w, b); v.State != sinks.JobFailed || !strings.Contains(v.Detail, "upload it again") {
			t.Errorf("the record is %+v", v)
		}
	})
}
