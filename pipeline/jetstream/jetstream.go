// Package jetstream keeps the jobs of pipeline/files on a NATS server with JetStream: the
// queue, the records of the videos, and, where processes run on several hosts, the files.
// Several captiond processes may share them.
//
// What is not there is created when it is first needed; what somebody else made is used as it
// is. A server that is away is an error of each call, and no more than that: the same call is
// right again when it is back. All methods are safe for concurrent use.
package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/pipeline/files"
)

// Options say what is created, and under which names. Zero values stand for what each line
// says.
type Options struct {
	Prefix      string        // first token of subjects, in capitals that of names; captiond
	Waiting     int64         // jobs in the queue, those under way included: 1000
	Patience    time.Duration // how long workers go on without progress: 30 s; a job that nobody confirms for a quarter more is handed out again
	RecordBytes int64         // of all records: 64 MiB
	UploadBytes int64         // of all files in the object store: 16 GiB
	Logger      *slog.Logger  // none
}

func (o Options) withDefaults() Options {
	o.Prefix = cmp.Or(o.Prefix, "captiond")
	o.Waiting = cmp.Or(o.Waiting, 1000)
	o.Patience = cmp.Or(o.Patience, 30*time.Second)
	o.RecordBytes = cmp.Or(o.RecordBytes, 64<<20)
	o.UploadBytes = cmp.Or(o.UploadBytes, 16<<30)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// name is that of a stream or bucket.
func (o Options) name(what string) string { return strings.ToUpper(o.Prefix) + "_" + what }

// open is a connection's JetStream.
func open(nc *nats.Conn) (jetstream.JetStream, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return js, nil
}

// A place is a stream, consumer or bucket that is found, or made, once. It is looked for again
// after it was found to be gone.
type place[T any] struct {
	mu    sync.Mutex
	found bool
	it    T
}

// get finds it by find, else by create; somebody else may be faster.
func (p *place[T]) get(find, create func() (T, error)) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found {
		return p.it, nil
	}
	it, err := find()
	if missing(err) {
		if it, err = create(); taken(err) {
			it, err = find()
		}
	}
	if failed, ok := errors.AsType[*jetstream.APIError](err); ok && failed.ErrorCode == noStorage {
		err = fmt.Errorf("%w: give the server more, or make this stream there, of a size that fits", err)
	}
	if err != nil {
		return it, err
	}
	p.it, p.found = it, true
	return it, nil
}

// lost has it looked for again where an error says that it is gone.
func (p *place[T]) lost(err error) {
	if missing(err) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.found = false
	}
}

func missing(err error) bool {
	for _, e := range []error{jetstream.ErrStreamNotFound, jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDeleted,
		jetstream.ErrBucketNotFound, jetstream.ErrNoStreamResponse, nats.ErrNoResponders} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func taken(err error) bool {
	for _, e := range []error{jetstream.ErrStreamNameAlreadyInUse, jetstream.ErrConsumerExists, jetstream.ErrBucketExists} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// noStorage is the server's code for a stream that is larger than what it may store.
const noStorage jetstream.ErrorCode = 10047

// storeFailed is the server's code for what its limits do not let in; its description says
// which.
const storeFailed jetstream.ErrorCode = 10077

// limit is the limit that did not let a message in, "" for other errors.
func limit(err error) string {
	failed, ok := errors.AsType[*jetstream.APIError](err)
	if !ok || failed.ErrorCode != storeFailed {
		return ""
	}
	return failed.Description
}

// bounded gives a call some seconds where its context gives it for ever.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 5*time.Second)
}

// purge removes the messages of a subject.
func purge(ctx context.Context, js jetstream.JetStream, stream, subject string) error {
	s, err := js.Stream(ctx, stream)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(subject))
	}
	if missing(err) {
		return nil
	}
	return err
}

var (
	_ files.Queue    = (*Queue)(nil)
	_ files.Records  = (*Records)(nil)
	_ files.Delivery = (*delivery)(nil)
	_ files.Store    = (*Uploads)(nil)
)
