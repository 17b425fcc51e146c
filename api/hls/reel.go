package hls

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/pipeline/live"
)

const (
	reelKey   = "reel"           // of a query: the reel that a file belongs to
	clockRate = 90000            // ticks of PTS in a second
	jump      = 10 * time.Second // between two units: time did not go on
	trusted   = 5 * time.Second  // a camera's clock differs from ours by no more
)

// reel is a stretch of video in one format and on one timeline.
type reel struct {
	id     string
	codec  frames.Codec
	sets   [][]byte // parameter sets
	muxer  *gohlslib.Muxer
	track  *gohlslib.Track
	start  time.Duration // PTS of the first unit
	last   time.Duration // of the last
	damage bool          // the next unit to be taken is a key unit

	probing sync.WaitGroup
}

// newReel begins with a key unit.
func newReel(u frames.Unit) (*reel, error) {
	nals, err := split(u)
	if err != nil {
		return nil, err
	}
	r := &reel{id: rand.Text()[:8], codec: u.Codec, sets: parameterSets(u.Codec, nals), start: u.PTS, last: u.PTS}
	codec, err := r.description()
	if err != nil {
		return nil, err
	}
	r.track = &gohlslib.Track{Codec: codec, ClockRate: clockRate}
	r.muxer = &gohlslib.Muxer{
		Tracks: []*gohlslib.Track{r.track}, Variant: gohlslib.MuxerVariantFMP4,
		SegmentCount: segments, SegmentMinDuration: leastSegment, SegmentMaxSize: mostSegment,
		OnEncodeError: func(error) {}, // segments that grow longer: players cope
	}
	if err := r.muxer.Start(); err != nil {
		return nil, fmt.Errorf("begin video: %w", err)
	}
	return r, nil
}

// split is the NAL units of a unit, none of them empty.
func split(u frames.Unit) ([][]byte, error) {
	if !plays(u.Codec) {
		return nil, notPlayed(u.Codec)
	}
	var nals h264.AnnexB // H.265 is written the same way
	if err := nals.Unmarshal(u.Data); err != nil {
		return nil, fmt.Errorf("read unit: %w", err)
	}
	return nals, nil
}

// parameterSets are those of a unit, one of each kind, the last where there are more; nil for
// kinds that are not there.
func parameterSets(c frames.Codec, nals [][]byte) [][]byte {
	sets := make([][]byte, 3)
	for _, n := range nals {
		if c == frames.H264 {
			switch h264.NALUType(n[0] & 0x1F) {
			case h264.NALUTypeSPS:
				sets[1] = n
			case h264.NALUTypePPS:
				sets[2] = n
			}
			continue
		}
		switch h265.NALUType((n[0] >> 1) & 0x3F) {
		case h265.NALUType_VPS_NUT:
			sets[0] = n
		case h265.NALUType_SPS_NUT:
			sets[1] = n
		case h265.NALUType_PPS_NUT:
			sets[2] = n
		}
	}
	return sets
}

// description is what the muxer is told of the format.
func (r *reel) description() (codecs.Codec, error) {
	vps, sps, pps := r.sets[0], r.sets[1], r.sets[2]
	if r.codec == frames.H264 && sps != nil && pps != nil {
		return &codecs.H264{SPS: sps, PPS: pps}, nil
	}
	if r.codec == frames.H265 && vps != nil && sps != nil && pps != nil {
		return &codecs.H265{VPS: vps, SPS: sps, PPS: pps}, nil
	}
	return nil, api.Errorf(http.StatusUnsupportedMediaType, "the camera does not say how its %s is coded: it sends no parameter sets", r.codec)
}

// play passes on units, the first of which is u, until the camera's session ends, which is the
// error, or a unit comes that begins another reel. Ready is called when there is enough to be
// watched.
func (r *reel) play(ctx context.Context, l *live.Listener, u frames.Unit, ready func()) (frames.Unit, error) {
	r.probing.Go(func() {
		if r.complete() {
			ready()
		}
	})
	for {
		goesOn := r.write(u)
		next, err := l.Next(ctx)
		if err != nil {
			return u, err
		}
		if !goesOn || !r.follows(next) {
			return nextKey(ctx, l, next)
		}
		u = next
	}
}

// nextKey is the next key unit.
func nextKey(ctx context.Context, l *live.Listener, u frames.Unit) (frames.Unit, error) {
	var err error
	for err == nil && !u.Key {
		u, err = l.Next(ctx)
	}
	return u, err
}

// complete waits until the muxer has segments for a player to begin with. It is false where it
// was closed before.
func (r *reel) complete() bool {
	var s silent
	r.muxer.Handle(&s, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/" + Index}})
	return s.status == http.StatusOK
}

// silent is an answer that nobody reads.
type silent struct{ status int }

// Header implements http.ResponseWriter.
func (*silent) Header() http.Header { return http.Header{} }

// Write implements http.ResponseWriter.
func (*silent) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (s *silent) WriteHeader(status int) { s.status = status }

// follows: time goes on, and the format is the same.
func (r *reel) follows(u frames.Unit) bool {
	if d := u.PTS - r.last; d < -jump || d > jump || u.Codec != r.codec {
		return false
	}
	nals, err := split(u)
	if err != nil {
		return true // it is left out
	}
	for i, set := range parameterSets(u.Codec, nals) {
		if set != nil && !bytes.Equal(set, r.sets[i]) {
			return false
		}
	}
	return true
}

// write adds a unit. What cannot be added is left out, up to the next key unit; where that
// cannot be added either the reel does not go on.
func (r *reel) write(u frames.Unit) (goesOn bool) {
	r.last = u.PTS
	if r.damage && !u.Key {
		return true
	}
	nals, err := split(u)
	if err == nil {
		err = r.add(u, nals)
	}
	r.damage = err != nil
	return err == nil || !u.Key
}

func (r *reel) add(u frames.Unit, nals [][]byte) error {
	pts := int64((u.PTS - r.start) * (clockRate / 10000) / (time.Second / 10000))
	if r.codec == frames.H265 {
		return r.muxer.WriteH265(r.track, taken(u), pts, nals)
	}
	return r.muxer.WriteH264(r.track, taken(u), pts, nals)
}

// taken is when a unit was, by the camera where it knows, else as it arrived.
func taken(u frames.Unit) time.Time {
	if d := u.Wall.Sub(u.Camera); u.Camera.IsZero() || d < -trusted || d > trusted {
		return u.Wall
	}
	return u.Camera
}

func (r *reel) close() {
	r.muxer.Close()
	r.probing.Wait()
}
