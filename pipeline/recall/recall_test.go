package recall_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/pipeline/recall"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDecode = errors.New("the file is damaged")

// scene counts its closings.
type scene struct {
	bytes  int64
	closed atomic.Int64
}

func (s *scene) Bytes() int64 { return s.bytes }
func (s *scene) Close()       { s.closed.Add(1) }

type memory = recall.Memory[*scene]

func key(name string) recall.Key { return recall.Key{Subject: name, Detail: "0-12s"} }

// maker makes a scene at once.
func maker(s *scene) func() recall.Maker[*scene] {
	return func() recall.Maker[*scene] {
		return func(context.Context) (*scene, error) { return s, nil }
	}
}

// waiting makes a scene when it is told to, or fails with the end of its context.
func waiting(s *scene, now <-chan struct{}) func() recall.Maker[*scene] {
	return func() recall.Maker[*scene] {
		return func(ctx context.Context) (*scene, error) {
			select {
			case <-now:
				return s, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
}

func unused(t *testing.T) func() recall.Maker[*scene] {
	t.Helper()
	return func() recall.Maker[*scene] {
		t.Error("a scene that is remembered is made again")
		return maker(new(scene))()
	}
}

// see uses a scene.
func see(t *testing.T, m *memory, name string, begin func() recall.Maker[*scene]) (used *scene) {
	t.Helper()
	if err := m.Use(t.Context(), key(name), begin, func(s *scene) error { used = s; return nil }); err != nil {
		t.Fatal(err)
	}
	return used
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	t.Parallel()
	m := recall.New[*scene](30)
	all := map[string]*scene{}
	for _, name := range []string{"a", "b", "c"} {
		all[name] = &scene{bytes: 10}
		see(t, m, name, maker(all[name]))
	}
	if got := see(t, m, "a", unused(t)); got != all["a"] {
		t.Error("another scene is remembered")
	}
	all["d"] = &scene{bytes: 15}
	see(t, m, "d", maker(all["d"])) // 45 of 30 bytes: b and c go
	for name, closed := range map[string]int64{"a": 0, "b": 1, "c": 1, "d": 0} {
		if n := all[name].closed.Load(); n != closed {
			t.Errorf("%s is closed %d times, want %d", name, n, closed)
		}
	}
	if got, want := m.Count(), (recall.Count{Hits: 1, Misses: 4, Evictions: 2, Scenes: 2, Bytes: 25}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	m.Close()
	if c := m.Count(); c.Scenes != 0 || c.Bytes != 0 {
		t.Errorf("after Close %+v", c)
	}
	if err := m.Use(t.Context(), key("a"), unused(t), nil); !errors.Is(err, recall.ErrClosed) {
		t.Errorf("after Close %v", err)
	}
}

// A scene that is in use is closed by nothing: not for want of room, not when its subject is
// gone, not by Close.
func TestSceneInUse(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*memory){
		"evicted": func(m *memory) {
			if err := m.Use(t.Context(), key("other"), maker(&scene{bytes: 100}), func(*scene) error { return nil }); err != nil {
				t.Error(err)
			}
		},
		"forgotten": func(m *memory) { m.Forget("a") },
		"closed":    func(m *memory) { m.Close() },
		"too large": func(*memory) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s := recall.New[*scene](30), &scene{bytes: 20}
			if name == "too large" {
				s.bytes = 31
			}
			err := m.Use(t.Context(), key("a"), maker(s), func(*scene) error {
				end(m)
				if c := m.Count(); s.closed.Load() != 0 || c.Bytes < s.bytes {
					t.Errorf("closed %d times while in use, %+v", s.closed.Load(), c)
				}
				return nil
			})
			remembered := name == "evicted" // it was used after the other one
			if err != nil || (s.closed.Load() == 0) != remembered {
				t.Errorf("%v, closed %d times", err, s.closed.Load())
			}
			m.Close()
			if c := m.Count(); s.closed.Load() != 1 || c.Bytes != 0 {
				t.Errorf("closed %d times in the end, %+v", s.closed.Load(), c)
			}
		})
	}
}

func TestSceneIsMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, s, now := recall.New[*scene](30), &scene{bytes: 10}, make(chan struct{})
		var used sync.WaitGroup
		used.Go(func() { see(t, m, "a", waiting(s, now)) })
		synctest.Wait()
		for range 4 {
			used.Go(func() {
				if got := see(t, m, "a", unused(t)); got != s {
					t.Error("another scene was made")
				}
			})
		}
		synctest.Wait()
		close(now)
		used.Wait()
		if c := m.Count(); c.Misses != 1 || c.Hits != 4 || c.Bytes != 10 {
			t.Errorf("%+v", c)
		}
	})
}

// Who gives up waiting hurts nobody: the making goes on for the others, also without the one
// who began it.
func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, s, now := recall.New[*scene](30), &scene{bytes: 10}, make(chan struct{})
		first, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- m.Use(first, key("a"), waiting(s, now), nil) }()
		synctest.Wait()
		var stays sync.WaitGroup
		stays.Go(func() { see(t, m, "a", unused(t)) })
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
		close(now)
		stays.Wait()
		if got := see(t, m, "a", unused(t)); got != s {
			t.Error("the scene is not remembered")
		}
	})
}

// When nobody waits any more the making ends, and who comes then has the scene made anew.
func TestEverybodyLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := recall.New[*scene](30)
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan struct{})
		var left sync.WaitGroup
		for range 3 {
			left.Go(func() {
				err := m.Use(ctx, key("a"), func() recall.Maker[*scene] {
					return func(ctx context.Context) (*scene, error) {
						defer close(ended)
						<-ctx.Done()
						return nil, ctx.Err()
					}
				}, nil)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("who left got %v", err)
				}
			})
		}
		synctest.Wait()
		leave()
		left.Wait()
		<-ended
		s := &scene{bytes: 10}
		if got := see(t, m, "a", maker(s)); got != s || m.Count().Misses != 2 {
			t.Errorf("%+v", m.Count())
		}
	})
}

// A scene that came although nobody waited any more is closed.
func TestSceneComesTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, s, now := recall.New[*scene](30), &scene{bytes: 10}, make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			left <- m.Use(ctx, key("a"), func() recall.Maker[*scene] {
				return func(context.Context) (*scene, error) { <-now; return s, nil } // it does not listen
			}, nil)
		}()
		synctest.Wait()
		leave()
		synctest.Wait()
		close(now)
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if c := m.Count(); s.closed.Load() != 1 || c.Bytes != 0 || c.Scenes != 0 {
			t.Errorf("closed %d times, %+v", s.closed.Load(), c)
		}
	})
}

func TestFailureIsNotRemembered(t *testing.T) {
	t.Parallel()
	m := recall.New[*scene](30)
	fail := func() recall.Maker[*scene] {
		return func(context.Context) (*scene, error) { return nil, errDecode }
	}
	if err := m.Use(t.Context(), key("a"), fail, nil); !errors.Is(err, errDecode) {
		t.Errorf("%v, want %v", err, errDecode)
	}
	s := &scene{bytes: 1}
	if got := see(t, m, "a", maker(s)); got != s {
		t.Error("the failure is remembered")
	}
	if err := m.Use(t.Context(), key("a"), unused(t), func(*scene) error { return errDecode }); !errors.Is(err, errDecode) {
		t.Errorf("the user's error is %v", err)
	}
	see(t, m, "a", unused(t)) // what the user made of it is not the scene's fault
}

// Many at once, in a memory that is too small: nobody sees a scene that is closed, every
// scene is closed once, and nothing is left.
func TestCrowd(t *testing.T) {
	t.Parallel()
	m := recall.New[*scene](25)
	var mu sync.Mutex
	var all []*scene
	var crowd sync.WaitGroup
	for who := range uint64(8) {
		crowd.Go(func() {
			random := rand.New(rand.NewPCG(who, 1))
			for i := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				name := fmt.Sprint(random.IntN(6))
				begin := func() recall.Maker[*scene] {
					return func(ctx context.Context) (*scene, error) {
						if err := ctx.Err(); err != nil {
							return nil, err
						}
						s := &scene{bytes: 10}
						mu.Lock()
						all = append(all, s)
						mu.Unlock()
						return s, nil
					}
				}
				switch i % 7 {
				case 3:
					m.Forget(name)
				case 5:
					cancel()
				}
				err := m.Use(ctx, key(name), begin, func(s *scene) error {
					if s.closed.Load() > 0 {
						t.Error("a closed scene is in use")
					}
					return nil
				})
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	crowd.Wait()
	if c := m.Count(); c.Bytes > 25 || c.Evictions == 0 || c.Hits == 0 {
		t.Errorf("%+v", c)
	}
	m.Close()
	for _, s := range all {
		if s.closed.Load() != 1 {
			t.Errorf("a scene is closed %d times", s.closed.Load())
		}
	}
	if c := m.Count(); c.Bytes != 0 || c.Scenes != 0 {
		t.Errorf("in the end %+v", c)
	}
}
