package micro

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/pipeline/files"
)

// subject finds what a request is about. Done frees it.
func (d *door) subject(ctx context.Context, t target, body []byte) (s api.Subject, done func(), err error) {
	given := 0
	for _, is := range []bool{t.Source != "", t.Video != "", t.Media != nil, t.Object != "", body != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return s, nil, api.Errorf(422, "%d subjects are given: name one source, video, media or object, or send the bytes of one picture or clip", given)
	}
	if t.Media != nil {
		body = t.Media
	}
	switch id, upload := strings.CutPrefix(t.Source, files.Source("")); {
	case upload:
		s.Video = id
	case t.Source != "":
		s.Camera = t.Source
	case t.Video != "":
		s.Video = t.Video
	case t.Object != "":
		s.Title = cut(t.Object, 255)
		s.File, err = d.object(ctx, t.Object)
	default:
		s.File, err = d.spool(bytes.NewReader(body))
	}
	return s, func() {
		if s.File != nil {
			_ = s.File.Close() // nobody needs it any more
		}
	}, err
}

// spool writes media to a file without a name.
func (d *door) spool(r io.Reader) (_ *os.File, err error) {
	f, err := os.CreateTemp(d.Folder, "ask-*.in.part")
	if err != nil {
		return nil, fmt.Errorf("keep media: %w", err)
	}
	err = os.Remove(f.Name())
	var n int64
	if err == nil {
		n, err = io.Copy(f, io.LimitReader(r, d.MaxMedia+1))
	}
	if err == nil && n > d.MaxMedia {
		err = d.tooLarge()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (d *door) tooLarge() error {
	return api.Errorf(413, "this is too large: at most %d bytes are taken; upload it (POST /v1/videos) and ask about the upload", d.MaxMedia)
}

// object copies an object, whole and undamaged.
func (d *door) object(ctx context.Context, name string) (f *os.File, err error) {
	store, err := d.js.ObjectStore(ctx, d.bucket())
	if err != nil {
		return nil, d.refuse(ctx, name, err)
	}
	o, err := store.Get(ctx, name)
	if err != nil {
		return nil, d.refuse(ctx, name, err)
	}
	defer func() { _ = o.Close() }() // what it has not read is not wanted
	info, err := o.Info()
	switch {
	case err != nil:
		return nil, d.refuse(ctx, name, err)
	case info.Bucket != d.bucket(): // a link, to what the client might not be let see
		return nil, api.Errorf(422, "object %.80q is in another bucket: put it into %s", name, d.bucket())
	case info.Size > uint64(d.MaxMedia):
		return nil, d.tooLarge()
	}
	if f, err = d.spool(o); err != nil {
		return nil, d.refuse(ctx, name, err)
	}
	return f, nil
}

// refuse says what the client can do about an object that cannot be had.
func (d *door) refuse(ctx context.Context, name string, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, jetstream.ErrBucketNotFound):
		return api.Errorf(404, "there is no object store %s: make it with `nats object add %s --ttl 1h`", d.bucket(), d.bucket())
	case errors.Is(err, jetstream.ErrObjectNotFound):
		return api.Errorf(404, "there is no object %.80q in %s", name, d.bucket())
	case errors.Is(err, jetstream.ErrDigestMismatch), errors.Is(err, jetstream.ErrBadObjectMeta), errors.Is(err, jetstream.ErrCantGetBucket):
		return api.Errorf(422, "object %.80q is damaged or none: put it again", name)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return api.Errorf(503, "the NATS server has no JetStream, and so no objects: send the bytes")
	}
	return fmt.Errorf("read object: %w", err)
}
