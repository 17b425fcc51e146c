package jetstream_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"iter"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/files"
	jobs "github.com/captiond/captiond/pipeline/jetstream"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// childVariable makes the test binary a daemon with one job: its value is the folder of its
// NATS server, or the URL of one, and the frame at which it kills itself, -1 for none.
const childVariable = "JETSTREAM_TEST_CHILD"

// childAttempts is how many attempts that come no further a child allows.
const childAttempts = 3

// child works on a job until that has ended, and prints each step.
func child(job string) int {
	where, deadly, _ := strings.Cut(job, "|")
	if err := withClient(where, func(c *nats.Client) error { return work(c, deadly) }); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func withClient(where string, use func(*nats.Client) error) (err error) {
	o := nats.Options{URL: where}
	if !strings.HasPrefix(where, "nats://") {
		if o.Server, err = nats.Start(nats.ServerOptions{StoreDir: where}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, o.Server.Stop()) }()
	}
	client, err := nats.Dial(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close(context.Background())) }()
	if err := client.Check(context.Background()); err != nil {
		return err
	}
	return use(client)
}

func work(client *nats.Client, deadly string) error {
	o := jobs.Options{Patience: 600 * time.Millisecond, Waiting: 1} // full while the job is there
	queue, err := jobs.NewQueue(client.Conn(), o)
	if err != nil {
		return err
	}
	records, err := jobs.NewRecords(client.Conn(), o)
	if err != nil {
		return err
	}
	if err := begin(records, queue); err != nil {
		return err
	}
	f := &film{n: 480}
	if _, err := fmt.Sscan(deadly, &f.deadly); err != nil {
		return err
	}
	w := files.Worker{Queue: queue, Records: records, Journal: loud{client}, Projector: f, Patience: o.Patience, Pause: 50 * time.Millisecond,
		Open: func(context.Context, string, func()) (*os.File, error) { return os.Open(os.DevNull) },
		Voice: func(context.Context, string) (pipeline.Voice, error) {
			return pipeline.Voice{Captioner: &reader{frames: map[*model.Features]uint32{}, windows: map[*model.Prefix]string{}},
				Name: "reader@000000000000", Samples: 6}, nil
		},
	}
	if w.Attempts = childAttempts; f.deadly < 0 {
		w.Attempts = 1000 // that are killed
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	err = awaitEnd(records, queue)
	cancel()
	running.Wait()
	return err
}

// begin queues the job where it is not known yet.
func begin(records *jobs.Records, queue *jobs.Queue) error {
	ctx := context.Background()
	if _, _, err := records.Get(ctx, id(1)); !errors.Is(err, files.ErrUnknown) {
		return err
	}
	v := files.Video{ID: id(1), Source: files.Source(id(1)), Title: "film.mp4", State: sinks.JobQueued}
	if err := queue.Add(ctx, v.ID); err != nil {
		return err
	}
	_, err := records.Put(ctx, v, 0)
	return err
}

// awaitEnd returns when the job has ended and left the queue.
func awaitEnd(records *jobs.Records, queue *jobs.Queue) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		v, _, err := records.Get(context.Background(), id(1))
		if err != nil {
			return err
		}
		if !files.Ended(v.State) {
			continue
		}
		if there, err := queue.Full(context.Background()); err != nil || !there {
			return err
		}
	}
	return nil
}

// loud prints each caption that it stores.
type loud struct{ *nats.Client }

func (l loud) Append(ctx context.Context, e sinks.Event, after uint64) (uint64, error) {
	fmt.Println("appends", e.Head().Seq)
	seq, err := l.Client.Append(ctx, e, after)
	fmt.Println("appended", e.Head().Seq)
	return seq, err
}

// A film has a frame a second, with its number in its pixels.
type film struct{ n, deadly int }

func (f *film) Show(ctx context.Context, r files.Reel, use func(context.Context, pipeline.Footage) error) error {
	r.Beat()
	return use(ctx, pipeline.Footage{Clip: reel{f}})
}

type reel struct{ *film }

func (r reel) Info() frames.Info { return frames.Info{Duration: time.Duration(r.n) * time.Second} }

func (r reel) Show(_ context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		for i := 0; i < len(at); {
			n, first := int(at[i]/time.Second), i
			for i < len(at) && int(at[i]/time.Second) == n {
				i++
			}
			<-time.After(2 * time.Millisecond)
			fmt.Println("frame", n)
			if n == r.deadly {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			s := frames.Sample{First: first, Count: i - first}
			s.Image, s.PTS = image.NewRGBA(image.Rect(0, 0, 1, 1)), time.Duration(n)*time.Second
			binary.BigEndian.PutUint32(s.Image.Pix, uint32(n))
			if !yield(s, nil) {
				return
			}
		}
	}
}

// reader is a model that says which frames it sees.
type reader struct {
	mu      sync.Mutex
	frames  map[*model.Features]uint32
	windows map[*model.Prefix]string
}

func (r *reader) EncodeAll(_ context.Context, imgs []*image.RGBA, _ model.View) (fs []*model.Features, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, img := range imgs {
		f := new(model.Features)
		r.frames[f], fs = binary.BigEndian.Uint32(img.Pix), append(fs, f)
	}
	return fs, nil
}

func (r *reader) BeginAll(_ context.Context, windows [][]*model.Features) (*model.Prefix, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := new(model.Prefix)
	for _, f := range windows[0] { // the voice has one at a time
		r.windows[p] += fmt.Sprint(" ", r.frames[f])
	}
	return p, nil
}

func (r *reader) BeginPicture(context.Context, *model.Features) (*model.Prefix, error) {
	return nil, errors.ErrUnsupported
}

func (r *reader) GenerateAll(_ context.Context, p *model.Prefix, _ []model.Request) ([]model.Text, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []model.Text{{Text: "frames" + r.windows[p], Confidence: 0.5, MinConfidence: 0.25}}, nil
}
