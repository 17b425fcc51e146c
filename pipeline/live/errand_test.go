package live

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
)

// A talkShow is talks of several cameras about one shade each, and what becomes of them.
type talkShow struct {
	*parrot
	load  *Load
	ended []time.Duration // since the beginning
	said  []pipeline.Said
	wait  sync.WaitGroup
}

// begin has so many talks come one after another, and the first hold the only turn: ctx is
// each one's.
func (s *talkShow) begin(n int, ctx func(i int) context.Context) {
	s.load, s.shades = NewLoad(1), make(map[*model.Features]uint8)
	s.slow, s.ended, s.said = time.Second, make([]time.Duration, n), make([]pipeline.Said, n)
	v := pipeline.Voice{Captioner: s.parrot, Name: "parrot@000000000000", Together: 4}
	begun := time.Now()
	for i := range n {
		f := new(model.Features)
		s.shades[f] = uint8(10 * (i + 1))
		s.wait.Go(func() {
			s.said[i] = s.load.speak(ctx(i), pipeline.Talk{Voice: v, Frames: []*model.Features{f}, Prompts: []string{"what?"}, Since: begun})
			s.ended[i] = time.Since(begun)
		})
		synctest.Wait()
	}
}

func (s *talkShow) check(t *testing.T, i int, after time.Duration) {
	t.Helper()
	want := fmt.Sprintf("what? shade %c", 'a'+i+1)
	if said := s.said[i]; said.Err != nil || len(said.Speeches) != 1 || said.Speeches[0].Text != want || s.ended[i] != after {
		t.Errorf("talk %d: %+v after %v, want %q after %v", i, said, s.ended[i], want, after)
	}
}

// What has come to wait while the model was busy is talked about side by side, in the order of
// its coming, and each camera hears of its own window.
func TestSpeakTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := talkShow{parrot: new(parrot)}
		s.begin(7, func(int) context.Context { return t.Context() })
		s.wait.Wait()
		for i, seconds := range []int{1, 2, 2, 2, 2, 3, 3} {
			s.check(t, i, time.Duration(seconds)*time.Second)
		}
		if s.begun != 7 || s.together != 4 {
			t.Errorf("%d windows begun, %d at once", s.begun, s.together)
		}
	})
}

// A window that cannot be talked about fails alone.
func TestSpeakFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := talkShow{parrot: &parrot{cannot: 30}}
		s.begin(4, func(int) context.Context { return t.Context() })
		s.wait.Wait()
		s.check(t, 0, time.Second)
		for _, i := range []int{1, 3} { // after the attempt side by side and three alone
			s.check(t, i, 5*time.Second)
		}
		if !errors.Is(s.said[2].Err, errLost) {
			t.Errorf("%+v", s.said[2])
		}
	})
}

// Who leaves, also the one that has the turn, does not end what others wait for; when all have
// left the turn is free.
func TestSpeakLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		leave []int
		free  time.Duration // when the turn is
	}{
		{[]int{1}, 2 * time.Second}, {[]int{2}, 2 * time.Second},
		{[]int{1, 2, 3}, 1500 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(tt.leave), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				left, leave := context.WithCancel(t.Context())
				s := talkShow{parrot: new(parrot)}
				leaves := map[int]bool{}
				for _, i := range tt.leave {
					leaves[i] = true
				}
				begun := time.Now()
				s.begin(4, func(i int) context.Context {
					if leaves[i] {
						return left
					}
					return t.Context()
				})
				time.AfterFunc(1500*time.Millisecond, leave)
				time.Sleep(1400 * time.Millisecond)
				s.load.turns <- struct{}{}
				if time.Since(begun) != tt.free {
					t.Errorf("the turn is free after %v", time.Since(begun))
				}
				<-s.load.turns
				s.wait.Wait()
				for i := range 4 {
					switch {
					case i == 0:
						s.check(t, 0, time.Second)
					case !leaves[i]:
						s.check(t, i, 2*time.Second)
					case i == 1 && s.said[i].Err == nil: // it had the turn, and heard what it left
					case !errors.Is(s.said[i].Err, context.Canceled) || i > 1 && s.ended[i] != 1500*time.Millisecond:
						t.Errorf("talk %d, which was left: %+v after %v", i, s.said[i], s.ended[i])
					}
				}
				if len(s.load.talks.waiting) != 0 {
					t.Errorf("%d wait for ever", len(s.load.talks.waiting))
				}
			})
		})
	}
}

// Who leaves before there is a turn is not talked about.
func TestSpeakWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left, leave := context.WithCancel(t.Context())
		s := talkShow{parrot: new(parrot)}
		s.begin(3, func(i int) context.Context {
			if i == 1 {
				return left
			}
			return t.Context()
		})
		leave()
		s.wait.Wait()
		s.check(t, 0, time.Second)
		s.check(t, 2, 2*time.Second)
		if !errors.Is(s.said[1].Err, context.Canceled) || s.ended[1] != 0 || s.begun != 2 {
			t.Errorf("%+v after %v, %d windows begun", s.said[1], s.ended[1], s.begun)
		}
	})
}

// What cameras show while the model is busy is looked at together, as far as it goes through the
// encoder in one run: what cannot be looked at fails alone, and who leaves does not disturb.
func TestLookTogether(t *testing.T) {
	t.Parallel()
	const n, blind, leaver = 7, 3, 5
	for pictures, want := range map[int][]int{0: {1, 1, 1, 1, 1, 1}, 4: {1, 4, 1, 1, 1, 1, 1}, 32: {1, 5, 1, 1, 1, 1, 1}} {
		t.Run(fmt.Sprint(pictures), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &parrot{slowSight: time.Second, cannotSee: 10 * blind}
				load := NewLoad(1)
				left, leave := context.WithCancel(t.Context())
				var wait sync.WaitGroup
				var seen [n]*model.Features
				var errs [n]error
				for i := range n {
					ctx := t.Context()
					if i == leaver {
						ctx = left
					}
					img := image.NewRGBA(image.Rect(0, 0, 1, 1))
					img.Pix[0] = uint8(10 * i)
					wait.Go(func() {
						seen[i], errs[i] = load.look(ctx, picture{pipeline.Voice{Captioner: p, Pictures: pictures}, img})
					})
					synctest.Wait()
				}
				leave()
				wait.Wait()
				for i, err := range errs {
					switch {
					case i == blind && !errors.Is(err, errLost) || i == leaver && !errors.Is(err, context.Canceled):
						t.Errorf("picture %d: error %v", i, err)
					case i != blind && i != leaver && (err != nil || p.shades[seen[i]] != uint8(10*i)):
						t.Errorf("picture %d: %v is seen, error %v", i, p.shades[seen[i]], err)
					}
				}
				if !slices.Equal(p.looks, want) {
					t.Errorf("so many are encoded side by side: %v, want %v", p.looks, want)
				}
			})
		})
	}
}
