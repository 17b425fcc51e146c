package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/pipeline/files"
)

// Records are the videos, by id, in the key-value bucket <PREFIX>_VIDEOS.
type Records struct {
	o      Options
	js     jetstream.JetStream
	bucket place[jetstream.KeyValue]
}

// NewRecords are the records of a connection, which the caller closes. It talks to no server
// yet.
func NewRecords(nc *nats.Conn, o Options) (*Records, error) {
	js, err := open(nc)
	if err != nil {
		return nil, err
	}
	return &Records{o: o.withDefaults(), js: js}, nil
}

func (r *Records) name() string { return r.o.name("VIDEOS") }

func (r *Records) ensure(ctx context.Context) (jetstream.KeyValue, error) {
	return r.bucket.get(func() (jetstream.KeyValue, error) { return r.js.KeyValue(ctx, r.name()) },
		func() (jetstream.KeyValue, error) {
			return r.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket: r.name(), Description: "videos of captiond", History: 1, MaxBytes: r.o.RecordBytes,
				Storage: jetstream.FileStorage,
			})
		})
}

// Get implements files.Records.
func (r *Records) Get(ctx context.Context, id string) (files.Video, uint64, error) {
	var v files.Video
	limited, cancel := bounded(ctx)
	defer cancel()
	kv, err := r.ensure(limited)
	if err != nil {
		return v, 0, fmt.Errorf("read video: %w", err)
	}
	entry, err := kv.Get(limited, id)
	r.bucket.lost(err)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return v, 0, files.ErrUnknown
	}
	if err == nil {
		err = json.Unmarshal(entry.Value(), &v)
	}
	if err != nil {
		return v, 0, fmt.Errorf("read video: %w", err)
	}
	return v, entry.Revision(), nil
}

// Put implements files.Records. It is files.ErrFull where there is no room for a new record;
// there always is for one that takes the place of another.
func (r *Records) Put(ctx context.Context, v files.Video, revision uint64) (uint64, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("write video: %w", err)
	}
	limited, cancel := bounded(ctx)
	defer cancel()
	kv, err := r.ensure(limited)
	if err != nil {
		return 0, fmt.Errorf("write video: %w", err)
	}
	if revision == 0 {
		revision, err = r.create(limited, kv, v.ID, value)
	} else {
		revision, err = kv.Update(limited, v.ID, value, revision)
	}
	r.bucket.lost(err)
	switch {
	case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return 0, files.ErrConflict
	case errors.Is(err, files.ErrFull), limit(err) != "":
		return 0, files.ErrFull
	case err != nil:
		return 0, fmt.Errorf("write video: %w", err)
	}
	return revision, nil
}

// create writes a new record, where a quarter of the bucket stays free for what is added to
// those that are there.
func (r *Records) create(ctx context.Context, kv jetstream.KeyValue, id string, value []byte) (uint64, error) {
	s, err := r.js.Stream(ctx, "KV_"+r.name())
	if err != nil {
		return 0, err
	}
	info := s.CachedInfo()
	if most := info.Config.MaxBytes; most > 0 && info.State.Bytes > uint64(most)/4*3 {
		return 0, files.ErrFull
	}
	return kv.Create(ctx, id, value)
}

// List is all records, in no order.
func (r *Records) List(ctx context.Context) ([]files.Video, error) {
	limited, cancel := bounded(ctx)
	defer cancel()
	kv, err := r.ensure(limited)
	if err != nil {
		return nil, fmt.Errorf("list videos: %w", err)
	}
	all, err := r.list(limited, kv)
	if err != nil {
		r.bucket.lost(err)
		return nil, fmt.Errorf("list videos: %w", err)
	}
	return all, nil
}

func (r *Records) list(ctx context.Context, kv jetstream.KeyValue) (all []files.Video, err error) {
	watch, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, watch.Stop()) }()
	for {
		select {
		case entry := <-watch.Updates():
			if entry == nil { // those that there are have been
				return all, nil
			}
			var v files.Video
			if err := json.Unmarshal(entry.Value(), &v); err != nil {
				r.o.Logger.Warn("record of a video cannot be read: it is passed over", "id", entry.Key(), "err", err)
				continue
			}
			all = append(all, v)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Remove removes a record, without a trace: those who hold its revision have none any more.
func (r *Records) Remove(ctx context.Context, id string) error {
	limited, cancel := bounded(ctx)
	defer cancel()
	if err := purge(limited, r.js, "KV_"+r.name(), "$KV."+r.name()+"."+id); err != nil {
		return fmt.Errorf("remove video: %w", err)
	}
	return nil
}
