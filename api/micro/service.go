package micro

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/sinks"
)

// Asker answers: *api.Asker implements it. Errors are *api.Error as far as the client is to
// blame, or is to come again. It is called by any number of goroutines.
type Asker interface {
	// Ask returns an answer for each question, in order.
	Ask(context.Context, api.Caller, api.Subject, api.Ask) ([]*sinks.Answer, error)
	Caption(context.Context, api.Caller, api.Subject, api.Search) ([]*sinks.Caption, error)
}

// Options say how the services answer. Zero values stand for what each line says.
type Options struct {
	Conn     *nats.Conn    // the caller's to close; it need not be connected yet
	Asker    Asker         //
	Prefix   string        // first token of the subjects; captiond
	Version  string        // of the program, its first word; what is no semantic version is 0.0.0
	Requests int           // under way at once; 32, and more are refused
	Timeout  time.Duration // of a request that states none; a minute
	MaxMedia int64         // bytes of an object; 256 MiB
	Folder   string        // for what is asked about, in files without names; os.TempDir
	Log      *slog.Logger  // none
}

func (o Options) withDefaults() Options {
	o.Prefix = cmp.Or(o.Prefix, "captiond")
	o.Version, _, _ = strings.Cut(strings.TrimPrefix(o.Version, "v"), " ")
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`).MatchString(o.Version) {
		o.Version = "0.0.0"
	}
	o.Requests, o.Timeout, o.MaxMedia = cmp.Or(o.Requests, 32), cmp.Or(o.Timeout, time.Minute), cmp.Or(o.MaxMedia, 256<<20)
	o.Folder = cmp.Or(o.Folder, os.TempDir())
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// drainTime is how long the server may take to say that no more requests come.
const drainTime = 5 * time.Second

// door is what all requests share.
type door struct {
	Options
	js    jetstream.JetStream
	slots chan struct{} // one for each request under way
}

// Serve answers requests until stop is closed: those under way, and those that had been sent,
// are answered before it returns. When ctx ends they are given up. An error says that the
// services could not be offered, or that the connection was closed for good.
func Serve(ctx context.Context, stop <-chan struct{}, o Options) error {
	d := &door{Options: o.withDefaults()}
	d.slots = make(chan struct{}, d.Requests)
	var err error
	if d.js, err = jetstream.New(d.Conn); err != nil {
		return fmt.Errorf("offer NATS services: %w", err)
	}
	ended := make(chan struct{})
	service, err := d.offer(ctx, func() { close(ended) })
	if err != nil {
		return fmt.Errorf("offer NATS services: %w", err)
	}
	d.Log.Info("nats services", "ask", d.Prefix+".ask", "caption", d.Prefix+".caption")
	select {
	case <-stop:
	case <-ctx.Done():
	case <-ended:
		err = errors.New("offer NATS services: the connection is closed")
	}
	return errors.Join(err, d.drain(context.WithoutCancel(ctx), service))
}

// offer registers the services.
func (d *door) offer(ctx context.Context, ended func()) (micro.Service, error) {
	ask, caption := &endpoint{door: d, name: "ask", answer: d.ask}, &endpoint{door: d, name: "caption", answer: d.caption}
	ends := map[string]*endpoint{ask.name: ask, caption.name: caption}
	s, err := micro.AddService(d.Conn, micro.Config{
		Name: d.Prefix, Version: d.Version, QueueGroup: d.Prefix,
		Description:  "answers questions about pictures, clips, uploads and cameras, and captions them",
		Metadata:     map[string]string{"bucket": d.bucket(), "max_media_bytes": fmt.Sprint(d.MaxMedia), "timeout": d.Timeout.String()},
		StatsHandler: func(e *micro.Endpoint) any { return ends[e.Name].stats() },
		DoneHandler:  func(micro.Service) { ended() },
	})
	if err != nil {
		return nil, err
	}
	group := s.AddGroup(d.Prefix)
	for _, e := range []*endpoint{ask, caption} {
		schemas, err := schemasOf(e.name)
		if err == nil {
			err = group.AddEndpoint(e.name, micro.ContextHandler(ctx, e.handle), micro.WithEndpointMetadata(schemas))
		}
		if err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	return s, nil
}

// drain takes no more requests and waits for those there are.
func (d *door) drain(ctx context.Context, s micro.Service) error {
	err := s.Stop()
	if d.Conn.IsConnected() {
		ctx, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		_ = d.Conn.FlushWithContext(ctx) // what was sent to us is here then; without a server nothing is
	}
	for range cap(d.slots) {
		d.slots <- struct{}{} // nobody gives it back
	}
	return err
}

// endpoint is one of the services.
type endpoint struct {
	*door
	name   string
	answer func(context.Context, message) (any, error)

	answered, failed, refused, busy atomic.Int64 // busy: nanoseconds
}

// Stats is what $SRV.STATS says of an endpoint beside the library's own, which counts the
// handing over alone.
type Stats struct {
	Answered int64   `json:"answered"`
	Failed   int64   `json:"failed"`  // answered with an error
	Refused  int64   `json:"refused"` // because too many were under way
	Seconds  float64 `json:"seconds"` // that answering took, together
}

func (e *endpoint) stats() Stats {
	return Stats{e.answered.Load(), e.failed.Load(), e.refused.Load(), time.Duration(e.busy.Load()).Seconds()}
}

// handle is called for one request at a time: it hands it over, and never waits.
func (e *endpoint) handle(ctx context.Context, r micro.Request) {
	m := message{reply: r.Reply(), header: nats.Header(r.Headers()), data: r.Data()}
	if m.reply == "" {
		return // it was published, and nobody waits for an answer
	}
	select {
	case e.slots <- struct{}{}:
	default:
		e.refused.Add(1)
		e.respond(m, nil, api.Later(503, 2*time.Second, "the daemon is busy: as many requests as it takes are under way; ask again in some seconds"))
		return
	}
	go func() {
		defer func() { <-e.slots }()
		begun := time.Now()
		v, err := e.run(ctx, m)
		if e.respond(m, v, err) {
			e.answered.Add(1)
		} else {
			e.failed.Add(1)
		}
		e.busy.Add(int64(time.Since(begun)))
	}()
}

// run answers a request in its time.
func (e *endpoint) run(ctx context.Context, m message) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	limit, err := m.timeout(e.Timeout)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, api.Errorf(504,
		"there was no answer within %v: ask again, with a longer %s; what has been seen is remembered", limit, timeoutHeader))
	defer cancel()
	v, err = e.answer(ctx, m)
	if _, told := errors.AsType[*api.Error](err); err != nil && !told && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return v, err
}

// bucket is the object store for what is larger than a message: CAPTIOND_MEDIA.
func (d *door) bucket() string { return strings.ToUpper(d.Prefix) + "_MEDIA" }
