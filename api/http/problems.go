package http

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
)

// errPanic is told to the client of a handler that panicked.
var errPanic = errors.New("panic")

const problemType = "application/problem+json"

// problem is an answer other than the one that was asked for, as RFC 9457 has it.
type problem struct {
	huma.ErrorModel
	header http.Header
}

var (
	_ huma.StatusError  = (*problem)(nil)
	_ huma.HeadersError = (*problem)(nil)
)

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header { return p.header }

// problemOf is what the client is told of an error. What is no *api.Error is a fault of ours:
// it is logged, and the client learns where.
func problemOf(ctx context.Context, err error) *problem {
	e := refusal(err)
	if e == nil {
		return internal(ctx, err)
	}
	p := newProblem(e.Status, e.Message)
	if e.RetryAfter > 0 {
		p.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if u, ok := errors.AsType[*unauthorizedError](err); ok {
		p.header.Set("WWW-Authenticate", u.challenge)
	}
	return p
}

// refusal is the *api.Error that an error is or comes from, nil where it is a fault of ours.
func refusal(err error) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(e.Limit)
	}
	switch {
	case errors.Is(err, slowError{}):
		return &api.Error{Status: http.StatusRequestTimeout, Message: "the body came too slowly: send it faster, or in parts that can be resumed (POST /v1/uploads)"}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &api.Error{Status: http.StatusInsufficientStorage, Message: "the daemon's disk is full: delete videos that are no longer needed, or come again", RetryAfter: later}
	}
	return nil
}

func tooLarge(limit int64) *api.Error {
	return &api.Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("this is too large: at most %d bytes are taken", limit)}
}

func newProblem(status int, detail string) *problem {
	return &problem{huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}, make(http.Header)}
}

// internal is a fault of ours, or a client that is gone, which nobody is told.
func internal(ctx context.Context, err error) *problem {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return newProblem(http.StatusServiceUnavailable, "the request was given up")
	}
	ref := make([]byte, 6)
	_, _ = rand.Read(ref) // it never fails
	id := hex.EncodeToString(ref)
	logOf(ctx).Error("http request failed", "ref", id, "err", err)
	return newProblem(http.StatusInternalServerError, "internal error: the daemon's log has more about it under ref="+id)
}

// WriteProblem answers a plain request with an error.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Context(), err)
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Content-Type", problemType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(p) // the client may be gone
	}
}

// Register is huma.Register for handlers whose errors are *api.Error, or faults of ours.
func Register[I, O any](a huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problemOf(ctx, err)
		}
		return out, nil
	})
}

// plainly is a huma.Transformer: what huma itself has to say becomes a sentence, and nothing
// that the client sent is sent back, since it may hold a password.
func plainly(c huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	switch {
	case m.Status == http.StatusInternalServerError:
		return internal(c.Context(), fmt.Errorf("%s: %w", m.Detail, joined(m.Errors))), nil
	case m.Status == http.StatusRequestTimeout:
		m.Detail = refusal(slowError{}).Message
	case m.Status == http.StatusRequestEntityTooLarge:
		m.Detail = tooLarge(c.Operation().MaxBodyBytes).Message
	case m.Status == http.StatusUnsupportedMediaType:
		m.Detail = "send JSON: the header 'Content-Type: application/json'"
	case len(m.Errors) > 0:
		m.Detail = sentence(m.Errors)
	}
	for _, e := range m.Errors {
		e.Value = nil
	}
	return m, nil
}

func joined(details []*huma.ErrorDetail) error {
	errs := make([]error, len(details))
	for i, d := range details {
		errs[i] = errors.New(d.Message)
	}
	return errors.Join(errs...)
}

// maxTold is how many mistakes a sentence names. The others are in the list.
const maxTold = 3

func sentence(details []*huma.ErrorDetail) string {
	var told []string
	for _, d := range details[:min(len(details), maxTold)] {
		if d.Location == "" {
			told = append(told, d.Message)
			continue
		}
		told = append(told, d.Location+": "+d.Message)
	}
	if more := len(details) - len(told); more > 0 {
		told = append(told, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(told, "; ")
}
