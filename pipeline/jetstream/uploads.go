package jetstream

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Uploads are files by their ids in the object store <PREFIX>_UPLOADS, for processes on several
// hosts.
type Uploads struct {
	o      Options
	js     jetstream.JetStream
	bucket place[jetstream.ObjectStore]
}

// NewUploads are the uploads of a connection, which the caller closes. It talks to no server
// yet.
func NewUploads(nc *nats.Conn, o Options) (*Uploads, error) {
	js, err := open(nc)
	if err != nil {
		return nil, err
	}
	return &Uploads{o: o.withDefaults(), js: js}, nil
}

func (u *Uploads) name() string { return u.o.name("UPLOADS") }

func (u *Uploads) ensure(ctx context.Context) (jetstream.ObjectStore, error) {
	return u.bucket.get(func() (jetstream.ObjectStore, error) { return u.js.ObjectStore(ctx, u.name()) },
		func() (jetstream.ObjectStore, error) {
			return u.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{
				Bucket: u.name(), Description: "videos that were sent to captiond", MaxBytes: u.o.UploadBytes,
				Storage: jetstream.FileStorage,
			})
		})
}

// Put implements files.Store.
func (u *Uploads) Put(ctx context.Context, id string, r io.Reader) error {
	bucket, err := u.ensure(ctx)
	if err == nil {
		_, err = bucket.Put(ctx, jetstream.ObjectMeta{Name: id}, r)
		u.bucket.lost(err)
	}
	if err != nil {
		return fmt.Errorf("store upload: %w", err)
	}
	return nil
}

// longest is how long a file may be read; the client would allow it 5 s.
const longest = 24 * time.Hour

// Get implements files.Store.
func (u *Uploads) Get(ctx context.Context, id string, w io.Writer) (err error) {
	limited, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	bucket, err := u.ensure(limited)
	if err != nil {
		return fmt.Errorf("fetch upload: %w", err)
	}
	object, err := bucket.Get(limited, id)
	u.bucket.lost(err)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return fmt.Errorf("fetch upload: %w", fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("fetch upload: %w", err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	if _, err := io.Copy(w, object); err != nil { // at its end the digest is compared
		return fmt.Errorf("fetch upload: %w", err)
	}
	return nil
}

// Has implements files.Store.
func (u *Uploads) Has(ctx context.Context, id string) (bool, error) {
	limited, cancel := bounded(ctx)
	defer cancel()
	bucket, err := u.ensure(limited)
	if err == nil {
		_, err = bucket.GetInfo(limited, id)
		u.bucket.lost(err)
	}
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for upload: %w", err)
	}
	return true, nil
}

// Remove implements files.Store.
func (u *Uploads) Remove(ctx context.Context, id string) error {
	bucket, err := u.ensure(ctx)
	if err == nil {
		err = bucket.Delete(ctx, id)
		u.bucket.lost(err)
	}
	if err == nil { // the client leaves a note that it is gone
		note := "$O." + u.name() + ".M." + base64.URLEncoding.EncodeToString([]byte(id))
		err = purge(ctx, u.js, "OBJ_"+u.name(), note)
	}
	if err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return fmt.Errorf("remove stored upload: %w", err)
	}
	return nil
}

// Sweep removes what belongs to nobody and is older than a while: files whose ids are not
// known, and pieces that a broken connection left behind.
func (u *Uploads) Sweep(ctx context.Context, known func(id string) bool, older time.Duration) error {
	bucket, err := u.ensure(ctx)
	if err != nil {
		return fmt.Errorf("sweep stored uploads: %w", err)
	}
	objects, err := bucket.List(ctx)
	u.bucket.lost(err)
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		return fmt.Errorf("sweep stored uploads: %w", err)
	}
	pieces := make(map[string]bool)
	for _, o := range objects {
		pieces[o.NUID] = true
		if known(o.Name) || time.Since(o.ModTime) < older {
			continue
		}
		u.o.Logger.Info("stored upload of no video is removed", "id", o.Name)
		if err := u.Remove(ctx, o.Name); err != nil {
			return err
		}
	}
	return u.sweepPieces(ctx, pieces, older)
}

// sweepPieces removes pieces of files that never came to be.
func (u *Uploads) sweepPieces(ctx context.Context, known map[string]bool, older time.Duration) error {
	prefix := "$O." + u.name() + ".C."
	s, err := u.js.Stream(ctx, "OBJ_"+u.name())
	if err != nil {
		return fmt.Errorf("sweep pieces of uploads: %w", err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(prefix+">"))
	if err != nil {
		return fmt.Errorf("sweep pieces of uploads: %w", err)
	}
	for subject := range info.State.Subjects {
		if known[strings.TrimPrefix(subject, prefix)] {
			continue
		}
		last, err := s.GetLastMsgForSubject(ctx, subject)
		if err != nil || time.Since(last.Time) < older {
			continue // gone meanwhile, or still being written
		}
		u.o.Logger.Info("pieces of an upload that broke off are removed", "subject", subject)
		if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("sweep pieces of uploads: %w", err)
		}
	}
	return nil
}
