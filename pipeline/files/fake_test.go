package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"os"
	"slices"
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

const testID = "0123456789abcdef0123456789abcdef"

var errAway = errors.New("the broker is away")

// A broker is queue, records and journal in memory. It is away while it says so.
type broker struct {
	patience time.Duration
	away     atomic.Bool

	mu       sync.Mutex
	jobs     map[string]time.Time // when each is to be handed out
	records  map[string]record
	revision uint64
	events   map[string][]stored // by subject
	number   uint64
	taken    int // deliveries
}

type record struct {
	Video
	revision uint64
}

type stored struct {
	sinks.Event
	number uint64
}

func newBroker() *broker {
	return &broker{patience: 37 * time.Second, jobs: map[string]time.Time{}, records: map[string]record{}, events: map[string][]stored{}}
}

// queue adds a video with these options.
func (b *broker) queue(t *testing.T, o Options) {
	t.Helper()
	v := Video{ID: testID, Source: Source(testID), Title: "clip.mp4", Options: o, State: sinks.JobQueued}
	if _, err := b.Put(t.Context(), v, 0); err != nil {
		t.Fatal(err)
	}
	b.jobs[testID] = time.Now()
}

func (b *broker) lock() (unlock func(), err error) {
	if b.away.Load() {
		return nil, errAway
	}
	b.mu.Lock()
	return b.mu.Unlock, nil
}

func (b *broker) Take(ctx context.Context) (Delivery, error) {
	for {
		if b.away.Load() {
			return nil, errAway
		}
		if id := b.next(); id != "" {
			return &delivery{b, id}, nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

func (b *broker) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, at := range b.jobs {
		if !time.Now().Before(at) {
			b.jobs[id] = time.Now().Add(b.patience)
			b.taken++
			return id
		}
	}
	return ""
}

type delivery struct {
	b  *broker
	id string
}

func (d *delivery) ID() string { return d.id }

func (d *delivery) Beat() error { return d.Back(context.Background(), d.b.patience) }

func (d *delivery) Done(context.Context) error {
	unlock, err := d.b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	delete(d.b.jobs, d.id)
	return nil
}

func (d *delivery) Back(_ context.Context, after time.Duration) error {
	unlock, err := d.b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, there := d.b.jobs[d.id]; there {
		d.b.jobs[d.id] = time.Now().Add(after)
	}
	return nil
}

func (b *broker) Get(_ context.Context, id string) (Video, uint64, error) {
	unlock, err := b.lock()
	if err != nil {
		return Video{}, 0, err
	}
	defer unlock()
	r, ok := b.records[id]
	if !ok {
		return Video{}, 0, ErrUnknown
	}
	return r.Video, r.revision, nil
}

func (b *broker) Put(_ context.Context, v Video, revision uint64) (uint64, error) {
	unlock, err := b.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	if b.records[v.ID].revision != revision {
		return 0, ErrConflict
	}
	b.revision++
	b.records[v.ID] = record{v, b.revision}
	return b.revision, nil
}

func subject(e sinks.Event) string {
	s, err := sinks.Subject("p", e)
	if err != nil {
		panic(err)
	}
	return s
}

func (b *broker) Publish(_ context.Context, e sinks.Event) error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	b.store(e)
	return nil
}

func (b *broker) store(e sinks.Event) uint64 {
	b.number++
	b.events[subject(e)] = append(b.events[subject(e)], stored{e, b.number})
	return b.number
}

func (b *broker) last(e sinks.Event) stored {
	all := b.events[subject(e)]
	if len(all) == 0 {
		return stored{}
	}
	return all[len(all)-1]
}

func (b *broker) Append(ctx context.Context, e sinks.Event, after uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	unlock, err := b.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	last := b.last(e)
	switch {
	case last.number == after:
		return b.store(e), nil
	case last.Event != nil && last.Head().ID == e.Head().ID:
		return last.number, nil
	}
	return 0, sinks.ErrMoved
}

func (b *broker) Last(_ context.Context, e sinks.Event) (sinks.Event, uint64, error) {
	unlock, err := b.lock()
	if err != nil {
		return nil, 0, err
	}
	defer unlock()
	last := b.last(e)
	return last.Event, last.number, nil
}

func (b *broker) Clear(_ context.Context, e sinks.Event) error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	delete(b.events, subject(e))
	return nil
}

// captions are the texts of those stored, with their numbers and times.
func (b *broker) captions(t *testing.T) (list []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events[subject(&sinks.Caption{Header: sinks.Header{Source: Source(testID)}})] {
		c, ok := e.Event.(*sinks.Caption)
		if !ok {
			t.Fatalf("a %T among captions", e.Event)
		}
		list = append(list, fmt.Sprintf("%s %d %v-%v %v %q", c.ID, c.Seq, c.Start, c.End, c.Frames, c.Text))
	}
	return list
}

// told are the job events stored.
func (b *broker) told() (list []*sinks.Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events["p.jobs."+testID] {
		list = append(list, e.Event.(*sinks.Job))
	}
	return list
}

func (b *broker) video() Video {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records[testID].Video
}

func (b *broker) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.jobs)
}

// A film is a clip of n frames, rate of them a second, each of which takes a while to decode.
type film struct {
	n, rate int
	takes   time.Duration
	before  func(ctx context.Context, frame int) error // each frame, where it is set
	damage  int                                        // the frame from which on damage is known, 0 for none
	shown   atomic.Int64
}

func (f *film) Info() frames.Info {
	i := frames.Info{Duration: time.Duration(f.n) * time.Second / time.Duration(f.rate), Created: time.UnixMilli(1795428000123)}
	if f.damage > 0 && f.shown.Load() >= int64(f.damage) {
		i.Damage = "the file ends early"
	}
	return i
}

func (f *film) Show(ctx context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		onScreen := func(at time.Duration) int { return min(int(at*time.Duration(f.rate)/time.Second), f.n-1) }
		for i := 0; i < len(at); {
			n, first := onScreen(at[i]), i
			for i < len(at) && onScreen(at[i]) == n {
				i++
			}
			err := f.decode(ctx, n)
			s := frames.Sample{First: first, Count: i - first}
			s.Image, s.PTS = image.NewRGBA(image.Rect(0, 0, 1, 1)), time.Duration(n)*time.Second/time.Duration(f.rate)
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func (f *film) decode(ctx context.Context, n int) error {
	if !sleep(ctx, f.takes) {
		return context.Cause(ctx)
	}
	f.shown.Store(max(f.shown.Load(), int64(n)))
	if f.before == nil {
		return nil
	}
	return f.before(ctx, n)
}

// parrot is a model that says how many texts it has said.
type parrot struct {
	before func(ctx context.Context) error // each text, where it is set
}

func (parrot) EncodeAll(_ context.Context, imgs []*image.RGBA, _ model.View) (fs []*model.Features, _ error) {
	for range imgs {
		fs = append(fs, new(model.Features))
	}
	return fs, nil
}

func (parrot) BeginAll(context.Context, [][]*model.Features) (*model.Prefix, error) {
	return new(model.Prefix), nil
}

func (parrot) BeginPicture(context.Context, *model.Features) (*model.Prefix, error) {
	return new(model.Prefix), nil
}

func (p parrot) GenerateAll(ctx context.Context, _ *model.Prefix, rs []model.Request) ([]model.Text, error) {
	if p.before != nil {
		if err := p.before(ctx); err != nil {
			return nil, err
		}
	}
	return slices.Repeat([]model.Text{{Text: "a parrot", Confidence: 0.5, MinConfidence: 0.25}}, len(rs)), nil
}

// A stage is what a worker is given beside the broker.
type stage struct {
	footage pipeline.Footage
	before  func(attempt int) error // of each showing
	after   func(error) error       // what a showing returns
	model   string                  // digest
	parrot  parrot
	shown   atomic.Int64
}

func (s *stage) Show(ctx context.Context, r Reel, use func(context.Context, pipeline.Footage) error) error {
	n := s.shown.Add(1)
	r.Beat()
	if s.before != nil {
		if err := s.before(int(n)); err != nil {
			return err
		}
	}
	err := use(ctx, s.footage)
	if s.after != nil {
		err = s.after(err)
	}
	return err
}

// worker is one that finds this on the stage.
func (s *stage) worker(b *broker) Worker {
	return Worker{
		Queue: b, Records: b, Journal: b, Projector: s,
		Open: func(context.Context, string, func()) (*os.File, error) { return os.Open(os.DevNull) },
		Voice: func(context.Context, string) (pipeline.Voice, error) {
			return pipeline.Voice{Captioner: s.parrot, Name: "parrot@" + cmp.Or(s.model, "000000000000"), Samples: 6}, nil
		},
	}
}

// until has a worker run until so much is true, and stops it.
func until(t *testing.T, w Worker, enough func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	for begun := time.Now(); !enough(); sleep(ctx, 10*time.Millisecond) {
		if time.Since(begun) > 3*time.Hour {
			t.Error("it did not come to that within three hours")
			break
		}
	}
	cancel()
	running.Wait()
}

// ended has a worker run until the job has ended and left the queue.
func ended(t *testing.T, w Worker, b *broker) Video {
	t.Helper()
	until(t, w, func() bool { return b.waiting() == 0 })
	v := b.video()
	if !Ended(v.State) {
		t.Errorf("the job left the queue %s", v.State)
	}
	return v
}

// undisturbed are the captions of a film that nothing happens to.
func undisturbed(t *testing.T, f *film, o Options) []string {
	t.Helper()
	b, s := newBroker(), &stage{footage: pipeline.Footage{Clip: &film{n: f.n, rate: f.rate, takes: f.takes}}}
	b.queue(t, o)
	if v := ended(t, s.worker(b), b); v.State != sinks.JobDone {
		t.Fatalf("%s: %s", v.State, v.Detail)
	}
	return b.captions(t)
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: captions\n%q, want\n%q", what, got, want)
	}
}
