package live

import (
	"context"
	"errors"
	"image"
	"image/color"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errLost = errors.New("the network is gone")

// A play is what a camera does in one session.
type play func(ctx context.Context, use func(frames.Unit) error) error

// scripted is a camera that plays one session after another, a second apart; after the last
// it is silent.
type scripted struct {
	plays []play
	n     int
}

func (s *scripted) Read(ctx context.Context, use func(frames.Unit) error) error {
	if s.n == len(s.plays) {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	s.n++
	return s.plays[s.n-1](ctx, use)
}

func (s *scripted) Attend(ctx context.Context, attempt func(context.Context) (time.Duration, error), report func(error, time.Duration)) error {
	for {
		_, err := attempt(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		report(err, time.Second)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (*scripted) State(err error) sinks.State {
	if errors.Is(err, ErrStalled) {
		return sinks.StateStalled
	}
	return sinks.StateConnecting
}

// film is a session of n frames, ten a second, of a colour for each; PTS come from at, which
// may be nil. It ends with errLost.
func film(n int, shade func(i int) uint8, at func(i int) time.Duration) play {
	return func(ctx context.Context, use func(frames.Unit) error) error {
		begun := time.Now()
		for i := range n {
			pts := time.Duration(i) * 100 * time.Millisecond
			if at != nil {
				pts = at(i)
			}
			u := frames.Unit{Codec: frames.MJPEG, Data: []byte{shade(i)}, Key: true,
				Stamp: frames.Stamp{PTS: pts, Arrival: time.Since(begun), Wall: time.Now()}}
			if err := use(u); err != nil {
				return err
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return errLost
	}
}

func grey(uint8) func(int) uint8 { return func(int) uint8 { return 128 } }

// projector shows each unit as a frame of its shade, as the decoder's child does.
type projector struct {
	mu    sync.Mutex
	seen  []frames.Seen
	more  chan struct{}
	ctx   context.Context //nolint:containedctx // it stands for a process that is killed
	cur   *frames.Seen
	shade uint8
	due   time.Duration
	every time.Duration
	blind bool // nothing can be decoded
}

func (p *projector) say(s frames.Seen) {
	p.seen = append(p.seen, s)
	select {
	case p.more <- struct{}{}:
	default:
	}
}

func (p *projector) Feed(u frames.Unit, pts time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blind {
		return nil
	}
	if p.cur != nil && pts > p.due {
		p.give()
		p.due += (pts - p.due - 1).Truncate(p.every) + p.every
	}
	p.cur, p.shade = &frames.Seen{PTS: pts}, u.Data[0]
	p.say(*p.cur)
	return nil
}

func (p *projector) give() {
	img := image.NewRGBA(image.Rect(0, 0, 2, 2))
	for i := range 4 {
		img.SetRGBA(i%2, i/2, color.RGBA{p.shade, p.shade, p.shade, 255})
	}
	p.say(frames.Seen{PTS: p.cur.PTS, Image: img})
}

func (p *projector) Grid(from, every time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due, p.every = from, every
	return nil
}

func (p *projector) Drain() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur != nil {
		p.give()
	}
	p.say(frames.Seen{Drained: true})
	return nil
}

func (p *projector) Next() (frames.Seen, error) {
	for {
		p.mu.Lock()
		if len(p.seen) > 0 {
			s := p.seen[0]
			p.seen = p.seen[1:]
			p.mu.Unlock()
			return s, nil
		}
		p.mu.Unlock()
		select {
		case <-p.more:
		case <-p.ctx.Done():
			return frames.Seen{}, context.Cause(p.ctx)
		}
	}
}

func decodeWith(blind bool) Decode {
	return func(ctx context.Context, _ frames.Codec, use func(context.Context, Stream) error) error {
		return use(ctx, &projector{more: make(chan struct{}, 1), ctx: ctx, blind: blind, every: time.Hour, due: time.Hour})
	}
}

// plain sketches a picture of one shade.
type plain struct{}

func (plain) Sketch(img *image.RGBA) (frames.Sketch, error) {
	// A shade that moves is a thing that moves in half of the picture: no cut.
	rgb := make([]uint8, 3*frames.SketchWidth*frames.SketchHeight)
	for i := range len(rgb) / 3 {
		rgb[i] = img.Pix[0]
	}
	return frames.Sketch{RGB: rgb}, nil
}

// parrot is a model: its features of a picture are its shade, its text the shade seen last.
type parrot struct {
	mu                        sync.Mutex
	shades                    map[*model.Features]uint8
	encoded, begun, generated int
	prefixes                  map[*model.Prefix][]uint8 // the shades of windows
	slow                      time.Duration             // texts side by side take
	together                  int                       // most windows begun side by side
	cannot                    uint8                     // a shade that it cannot talk about
	looks                     []int                     // pictures encoded side by side
	slowSight                 time.Duration             // pictures side by side take
	cannotSee                 uint8                     // a shade that it cannot look at
}

func (p *parrot) EncodeAll(ctx context.Context, imgs []*image.RGBA, _ model.View) (fs []*model.Features, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.encoded += len(imgs)
	p.looks = append(p.looks, len(imgs))
	if p.shades == nil {
		p.shades = make(map[*model.Features]uint8)
	}
	for _, img := range imgs {
		f := new(model.Features)
		if p.cannotSee > 0 && img.Pix[0] == p.cannotSee {
			return nil, errLost
		}
		p.shades[f], fs = img.Pix[0], append(fs, f)
	}
	return fs, p.wait(ctx, p.slowSight)
}

// wait lets others go on for a time.
func (p *parrot) wait(ctx context.Context, slow time.Duration) error {
	if slow == 0 {
		return nil
	}
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-time.After(slow):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// apart is a tenth for each step of grey.
func (p *parrot) apart(a, b *model.Features) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(float64(p.shades[a])-float64(p.shades[b]), float64(p.shades[b])-float64(p.shades[a])) / 10
}

func (p *parrot) BeginAll(_ context.Context, windows [][]*model.Features) (*model.Prefix, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun += len(windows)
	shades := make([]uint8, len(windows))
	for i, fs := range windows {
		shades[i] = p.shades[fs[len(fs)-1]]
	}
	if p.prefixes == nil {
		p.prefixes = make(map[*model.Prefix][]uint8)
	}
	prefix := new(model.Prefix)
	p.prefixes[prefix] = shades
	p.together = max(p.together, len(windows))
	return prefix, nil
}

func (p *parrot) BeginPicture(ctx context.Context, f *model.Features) (*model.Prefix, error) {
	return p.BeginAll(ctx, [][]*model.Features{{f}})
}

func (p *parrot) GenerateAll(ctx context.Context, prefix *model.Prefix, rs []model.Request) (texts []model.Text, err error) {
	p.mu.Lock()
	slow := p.slow
	p.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	shades := p.prefixes[prefix]
	for _, r := range rs {
		shade := shades[r.Window]
		if p.cannot != 0 && shade == p.cannot {
			return nil, errLost
		}
		p.generated++
		texts = append(texts, model.Text{Text: r.Prompt + " shade " + string(rune('a'+shade/10)), Confidence: 0.5, MinConfidence: 0.25})
	}
	return texts, nil
}

// studio is a camera with all its fakes, and what it says.
type studio struct {
	Camera
	stats  Stats
	parrot *parrot
	events []sinks.Event
	fails  atomic.Bool // of Emit
}

func newStudio(plays ...play) *studio {
	s := &studio{parrot: new(parrot)}
	v := pipeline.Voice{Captioner: s.parrot, Name: "parrot@000000000000", Samples: 6}
	s.Camera = Camera{
		Settings:   Settings{Source: "door", Window: 3 * time.Second, Every: 500 * time.Millisecond},
		Connection: &scripted{plays: plays}, Decode: decodeWith(false), Eye: plain{},
		Caption: v, Answer: v, Ring: NewRing(10*time.Minute, 1<<20), Load: NewLoad(1),
		Log: slog.New(slog.DiscardHandler),
		Emit: func(_ context.Context, e sinks.Event) error {
			if s.fails.Load() {
				return errLost
			}
			s.events = append(s.events, e)
			return nil
		},
	}
	return s
}

// run has the camera attended to for a while, and stopped.
func (s *studio) run(t *testing.T, d time.Duration) {
	t.Helper()
	stop := make(chan struct{})
	done := make(chan error)
	go func() { done <- runWith(t.Context(), stop, s) }()
	time.Sleep(d)
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// runWith is Run with a measure of the parrot's features.
func runWith(ctx context.Context, stop <-chan struct{}, s *studio) error {
	return newAttendant(s.Camera, &s.stats, s.parrot.apart).run(ctx, stop)
}

// of is the events of a kind.
func of[E sinks.Event](events []sinks.Event) (found []E) {
	for _, e := range events {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}
