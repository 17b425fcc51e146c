// Package hls passes on the video of cameras to browsers, as HTTP Live Streaming with segments
// of fragmented MP4, as it is: nothing is decoded or encoded. It is the only user of gohlslib.
//
// A stream begins with the first request for it and ends when nobody has asked for a while. All
// viewers of a camera share one, which holds a few segments in memory. It begins anew when the
// camera does, or changes its format: then what was asked for before is gone, and a player
// begins again with index.m3u8.
package hls

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/pipeline/live"
)

// The bounds of streams.
const (
	mostStreams  = 16               // at once
	segments     = 4                // that a stream holds, beside the one that is being made
	leastSegment = time.Second      // and as long as it takes to the next key frame
	mostSegment  = 8 << 20          // bytes; a camera that sends more cannot be passed on
	idleTime     = 30 * time.Second // without a request, after which a stream ends
	waitTime     = 20 * time.Second // for the first two segments, at most
)

// Index is the file that a player begins with.
const Index = "index.m3u8"

// Streams are those that are being watched. They work while Run does.
type Streams struct {
	log    *slog.Logger
	idle   time.Duration
	wait   time.Duration
	begin  chan *stream
	closed chan struct{} // when Run has returned

	mu   sync.Mutex
	live map[*live.Tap]*stream
}

// New makes streams that nobody watches yet.
func New(log *slog.Logger) *Streams {
	return &Streams{
		log: log, idle: idleTime, wait: waitTime, begin: make(chan *stream), closed: make(chan struct{}),
		live: make(map[*live.Tap]*stream),
	}
}

// Run works on the streams until ctx ends, and waits for them. It is called once.
func (s *Streams) Run(ctx context.Context) {
	defer close(s.closed)
	var working sync.WaitGroup
	defer working.Wait()
	for {
		select {
		case st := <-s.begin:
			working.Go(func() {
				st.run(ctx)
				s.forget(st)
			})
		case <-ctx.Done():
			return
		}
	}
}

// Serve answers a request for a file of a camera's stream: Index, or what that names. The name
// is the camera's, for the log. An *api.Error says why nothing was written.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, name string, tap *live.Tap) error {
	if c := tap.Codec(); c != "" && !plays(c) {
		return notPlayed(c)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.wait)
	defer cancel()
	st, err := s.stream(ctx, name, tap)
	if err != nil {
		return err
	}
	return st.serve(ctx, w, r)
}

// plays: browsers play some H.265, too; whether this one does it knows best.
func plays(c frames.Codec) bool { return c == frames.H264 || c == frames.H265 }

func notPlayed(c frames.Codec) error {
	return api.Errorf(http.StatusUnsupportedMediaType,
		"the camera sends %s, which does not play in browsers, and video is passed on as it is: have the camera send H.264, or use its snapshot.jpg", c)
}

// stream is that of a camera, which begins where it is asked for first.
func (s *Streams) stream(ctx context.Context, name string, tap *live.Tap) (*stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.live[tap]; st != nil && st.touch() {
		return st, nil
	}
	if len(s.live) >= mostStreams {
		return nil, api.Later(http.StatusServiceUnavailable, idleTime, "the video of too many cameras is being watched: try again when others have ended")
	}
	st := newStream(tap, s.idle, s.log.With("source", name))
	select {
	case s.begin <- st:
		s.live[tap] = st
		return st, nil
	case <-s.closed:
	case <-ctx.Done():
	}
	return nil, api.Later(http.StatusServiceUnavailable, time.Second, "the daemon is stopping: try again")
}

func (s *Streams) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[st.tap] == st {
		delete(s.live, st.tap)
	}
}

// file is the last part of a request's path.
func file(r *http.Request) string { return path.Base(r.URL.Path) }
