package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a clip of frames at known PTS. It breaks off with err before the frame of
// that number, where err is set.
type scripted struct {
	pts     []time.Duration
	end     time.Duration
	breakAt int
	err     error
	sent    atomic.Int64
}

func (c *scripted) Info() frames.Info { return frames.Info{Duration: c.end} }

// onScreen is the number of the frame on screen at t.
func (c *scripted) onScreen(t time.Duration) int {
	n := 0
	for i, p := range c.pts {
		if p <= t {
			n = i
		}
	}
	return n
}

func (c *scripted) Show(ctx context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		for i := 0; i < len(at); {
			n, first := c.onScreen(at[i]), i
			for i < len(at) && c.onScreen(at[i]) == n {
				i++
			}
			if c.err != nil && n >= c.breakAt {
				yield(frames.Sample{}, c.err)
				return
			}
			c.sent.Add(1)
			img := image.NewRGBA(image.Rect(0, 0, 1, 1))
			binary.BigEndian.PutUint32(img.Pix, uint32(n))
			s := frames.Sample{Frame: frames.Frame{Image: img, PTS: c.pts[n]}, First: first, Count: i - first}
			if !yield(s, nil) || ctx.Err() != nil {
				return
			}
		}
	}
}

// steady is a clip of n frames, rate of them a second.
func steady(n int, rate time.Duration) *scripted {
	c := &scripted{end: time.Duration(n) * time.Second / rate}
	for i := range n {
		c.pts = append(c.pts, time.Duration(i)*time.Second/rate)
	}
	return c
}

// parrot is a model that counts what it is asked for and repeats its prompt. Its confidence
// depends on the windows that are begun together: on each frame of each.
type parrot struct {
	encoded, begun, pictures, generated atomic.Int64
	windows                             [][]*model.Features
	frames                              map[*model.Features]uint32
	company                             map[*model.Prefix]float64
	looks, together, runs               []int // pictures encoded, windows begun, and texts generated, side by side
	fail                                error
	blind                               uint32 // the frame of that number, from 1 on, cannot be encoded
	alone                               bool   // several windows fail
	cannot                              string // a prompt that fails
}

func (p *parrot) EncodeAll(_ context.Context, imgs []*image.RGBA, _ model.View) (fs []*model.Features, _ error) {
	p.encoded.Add(int64(len(imgs)))
	p.looks = append(p.looks, len(imgs))
	if p.frames == nil {
		p.frames, p.company = make(map[*model.Features]uint32), make(map[*model.Prefix]float64)
	}
	for _, img := range imgs {
		f, n := new(model.Features), binary.BigEndian.Uint32(img.Pix)
		if p.blind > 0 && n == p.blind {
			return nil, errBroken
		}
		p.frames[f], fs = n, append(fs, f)
	}
	return fs, p.fail
}

func (p *parrot) BeginAll(_ context.Context, windows [][]*model.Features) (*model.Prefix, error) {
	if p.alone && len(windows) > 1 {
		return nil, errBroken
	}
	p.begun.Add(int64(len(windows)))
	p.together = append(p.together, len(windows))
	p.windows = append(p.windows, windows...)
	company := fnv.New32()
	for _, fs := range windows {
		for _, f := range fs {
			fmt.Fprint(company, p.frames[f], " ")
		}
	}
	prefix := new(model.Prefix)
	p.company[prefix] = float64(company.Sum32()) / (1 << 32)
	return prefix, nil
}

func (p *parrot) BeginPicture(context.Context, *model.Features) (*model.Prefix, error) {
	p.pictures.Add(1)
	return new(model.Prefix), nil
}

func (p *parrot) GenerateAll(_ context.Context, prefix *model.Prefix, rs []model.Request) (texts []model.Text, err error) {
	p.runs = append(p.runs, len(rs))
	for _, r := range rs {
		if p.cannot != "" && r.Prompt == p.cannot {
			return nil, errBroken
		}
		p.generated.Add(1)
		texts = append(texts, model.Text{Text: "heard " + r.Prompt, Confidence: p.company[prefix], MinConfidence: float64(r.Window) / 100})
	}
	return texts, nil
}

// job is a job with the parrot whose events are kept.
func job(p *parrot, samples int) (Job, *[]sinks.Event) {
	events := new([]sinks.Event)
	return Job{
		Input: Input{Source: "file-0123456789ab", Title: "clip.mp4"},
		Voice: Voice{Captioner: p, Name: "parrot@000000000000", Samples: samples},
		Emit:  func(e sinks.Event) error { *events = append(*events, e); return nil },
	}, events
}

func captions(t *testing.T, events []sinks.Event) []*sinks.Caption {
	t.Helper()
	var cs []*sinks.Caption
	for _, e := range events {
		c, ok := e.(*sinks.Caption)
		if !ok {
			t.Fatalf("a %T among captions", e)
		}
		cs = append(cs, c)
	}
	return cs
}

var errBroken = errors.New("decoder was killed")
