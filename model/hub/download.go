package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"
)

// download fetches a file into its blob. A content that is not what the hub said is thrown
// away and fetched once more: what an older run left may have been damaged since.
func (p *pull) download(ctx context.Context, f *file) error {
	part := p.blob(f) + ".incomplete"
	if hasher(f.etag, 0) == nil {
		p.log().Warn("the hub names no hash of a file: its size alone is checked", "file", f.name)
		_ = os.Remove(part) // what an older run left cannot be checked
	}
	for range 2 {
		if err := p.complete(ctx, f, part); err != nil {
			return err
		}
		ok, err := intact(ctx, part, f)
		if err != nil {
			return err
		}
		if ok {
			p.log().Info("downloaded", "file", f.name, "bytes", f.size)
			return os.Rename(part, p.blob(f))
		}
		p.log().Warn("what was downloaded is damaged", "file", f.name)
		if err := os.Remove(part); err != nil {
			return err
		}
	}
	return fmt.Errorf("what %s sends does not have the hash it states, %s, twice in a row: something on the way or the disk changes it; try another network or folder (HF_HUB_CACHE), or later",
		p.endpoint.Host, f.etag)
}

// complete fills the partial file up to its size.
func (p *pull) complete(ctx context.Context, f *file, path string) (err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Sync(), out.Close()) }()
	t := &transfer{pull: p, file: f, out: out, tags: map[string]string{origin(p.endpoint): f.validator}}
	if t.at, err = out.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if f.size >= 0 && t.at > f.size || f.size < 0 {
		err = t.rewind()
	}
	if err == nil {
		err = room(p.repo, f.size-t.at)
	}
	if err != nil {
		return err
	}
	farthest := t.at
	return p.insist(ctx, f.name, func(ctx context.Context) (bool, error) {
		err := t.goOn(ctx)
		moved := t.at > farthest
		farthest = max(farthest, t.at)
		return moved, err
	})
}

// transfer is a file on its way.
type transfer struct {
	*pull
	file *file
	out  *os.File
	at   int64             // bytes that are in out
	tags map[string]string // the strong entity tag that a host gave this content, by origin
}

// goOn asks for what is missing and takes what comes.
func (t *transfer) goOn(ctx context.Context) error {
	if t.at == t.file.size {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(t.bodyTimeout, func() {
		cancel(fmt.Errorf("no byte came for %v (HF_HUB_DOWNLOAD_TIMEOUT)", t.bodyTimeout))
	})
	defer stall.Stop()
	answer, err := t.travel(ctx, trip{method: http.MethodGet, url: t.address(t.file.name), dress: t.dress})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := t.fits(answer); err != nil {
		return err
	}
	return t.take(ctx, answer, func() { stall.Reset(t.bodyTimeout) })
}

// dress asks for the rest alone, as long as it is of the same content. Only the host that
// gave a tag knows it. Where none is known the hash will show whether the parts fit.
func (t *transfer) dress(r *http.Request) {
	if t.at == 0 {
		return
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-", t.at))
	if tag := t.tags[origin(r.URL)]; tag != "" {
		r.Header.Set("If-Range", tag)
	}
}

var contentRange = regexp.MustCompile(`^bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)$`)

// fits checks that an answer is the file from where it was asked for, or from its
// beginning, and makes ready for that.
func (t *transfer) fits(r *http.Response) error {
	from, total := int64(0), r.ContentLength
	switch r.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		m := contentRange.FindStringSubmatch(r.Header.Get("Content-Range"))
		if m == nil {
			return t.restart("a part that does not say which")
		}
		from, _ = strconv.ParseInt(m[1], 10, 64) // of 18 digits at most
		total = -1
		if m[2] != "*" {
			total, _ = strconv.ParseInt(m[2], 10, 64)
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return t.restart("that there is no such part")
	default:
		return t.refusal(r)
	}
	if t.file.size < 0 && total >= 0 {
		t.file.size = total
		if err := errors.Join(t.file.bounded(), room(t.repo, total)); err != nil {
			return err
		}
	}
	switch {
	case t.file.size < 0:
		return fmt.Errorf("%s does not state its size: set HF_ENDPOINT to a hub that does", r.Request.URL.Host)
	case total >= 0 && total != t.file.size:
		return transientError{error: fmt.Errorf("%s has %d bytes of it, not %d", r.Request.URL.Host, total, t.file.size)}
	case from != 0 && from != t.at:
		return t.restart("another part")
	}
	if tag := strong(r.Header.Get("Etag")); tag != "" {
		t.tags[origin(r.Request.URL)] = tag
	}
	if from == 0 {
		return t.rewind()
	}
	return nil
}

// restart forgets what is there: the server cannot go on from it.
func (t *transfer) restart(got string) error {
	return errors.Join(t.rewind(), transientError{error: fmt.Errorf("the server answers with %s", got)})
}

func (t *transfer) rewind() error {
	t.at = 0
	if _, err := t.out.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return t.out.Truncate(0)
}

// take writes a body down as it comes, so that whatever ends it, what came is there.
func (t *transfer) take(ctx context.Context, r *http.Response, alive func()) error {
	body := io.LimitReader(r.Body, t.file.size-t.at+1) // one more shows that it is too long
	_, err := io.Copy(writer(func(b []byte) (int, error) {
		alive()
		n, err := t.out.Write(b)
		t.at += int64(n)
		t.got += int64(n)
		t.advance(t.file, min(t.at, t.file.size))
		return n, err
	}), body)
	host := r.Request.URL.Host
	switch {
	case t.at > t.file.size:
		return errors.Join(t.rewind(), transientError{error: fmt.Errorf("%s sends more than the %d bytes it stated", host, t.file.size)})
	case t.at == t.file.size:
		return nil // an error after the last byte takes nothing away
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err // the disk's
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return transientError{error: fmt.Errorf("%s cut the download at %d of %d bytes: %w", host, t.at, t.file.size, err)}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
