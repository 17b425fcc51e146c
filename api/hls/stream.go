package hls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/pipeline/live"
)

// errIdle ends a stream that nobody asks for.
var errIdle = errors.New("nobody watches")

// stream is the video of one camera.
type stream struct {
	tap   *live.Tap
	log   *slog.Logger
	wait  time.Duration // without a request
	timer *time.Timer

	mu     sync.Mutex
	reel   *reel         // that can be watched; nil while there is none
	err    error         // why there will be none
	change chan struct{} // closed when one of these has changed
}

func newStream(tap *live.Tap, wait time.Duration, log *slog.Logger) *stream {
	return &stream{tap: tap, log: log, wait: wait, change: make(chan struct{})}
}

// touch is told of a request. It is false where the stream has ended.
func (s *stream) touch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Reset(s.wait)
	}
	return s.err == nil
}

// set tells those who wait what there is now.
func (s *stream) set(r *reel, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.reel, s.err = r, err
	close(s.change)
	s.change = make(chan struct{})
}

// run makes one reel after another, until nobody watches or nothing can be watched.
func (s *stream) run(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.mu.Lock()
	s.timer = time.AfterFunc(s.wait, func() {
		s.set(nil, errIdle)
		cancel(errIdle)
	})
	s.mu.Unlock()
	defer s.timer.Stop()
	s.log.Info("video is being watched")
	var err error
	for err == nil {
		err = s.session(ctx)
	}
	s.set(nil, err)
	s.log.Info("video is no longer watched", "reason", err)
}

// session passes on one session of the camera. The error is why there is no other.
func (s *stream) session(ctx context.Context) error {
	l := s.tap.Listen()
	defer l.Close()
	u, err := l.Next(ctx)
	for err == nil { // one reel after another, where the format changes
		r, failed := newReel(u)
		if failed != nil {
			return failed
		}
		u, err = r.play(ctx, l, u, func() { s.set(r, nil) })
		r.close()
		s.set(nil, nil)
		if err != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, live.ErrStopped):
		return err
	}
	return nil
}

// serve answers a request.
func (s *stream) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	reel, err := s.watch(ctx)
	if err != nil {
		return err
	}
	of := r.URL.Query().Get(reelKey)
	if file(r) != Index && of != reel.id {
		return api.Errorf(http.StatusGone, "the video has begun anew: load %s again", Index)
	}
	own := r.Clone(ctx)
	own.URL = &url.URL{Path: "/" + file(r), RawQuery: reelKey + "=" + reel.id}
	a := &answer{ResponseWriter: w}
	reel.muxer.Handle(a, own)
	if !a.begun {
		return api.Errorf(http.StatusNotFound, "the video has no such file, or no longer: load %s again", Index)
	}
	return nil
}

// watch waits for a reel.
func (s *stream) watch(ctx context.Context) (*reel, error) {
	for {
		s.mu.Lock()
		r, err, change := s.reel, s.err, s.change
		s.mu.Unlock()
		switch {
		case err != nil:
			return nil, why(err)
		case r != nil:
			return r, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, api.Later(http.StatusServiceUnavailable, 2*time.Second,
				"the camera has sent too little to begin with: see its state, and try again")
		}
	}
}

// why a stream has ended, for who waits for it.
func why(err error) error {
	if _, ok := errors.AsType[*api.Error](err); ok {
		return err
	}
	return api.Later(http.StatusServiceUnavailable, time.Second, fmt.Sprintf("the video has ended: %v: try again", err))
}

// answer notes whether anything was written, and lets nothing be kept: it shows what a camera
// sees.
type answer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.begun = true
	a.Header().Set("Cache-Control", "no-store")
	a.ResponseWriter.WriteHeader(status)
}
