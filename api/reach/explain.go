package reach

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"syscall"

	"github.com/captiond/captiond/api"
)

// brokenError is a body that ended with an error.
type brokenError struct{ error }

// Unwrap gives errors.Is its way.
func (e brokenError) Unwrap() error { return e.error }

func bodyError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return brokenError{err}
}

// explain says what went wrong without what the library's errors hold: URLs with their
// queries, and addresses.
func explain(ctx context.Context, u *url.URL, err error) error {
	broken, body := errors.AsType[brokenError](err)
	_, request := errors.AsType[*url.Error](err)
	refusal, refused := errors.AsType[*api.Error](err)
	switch {
	case errors.Is(context.Cause(ctx), errIdle):
		return api.Errorf(504, "%s sent nothing for a while: try again, or upload the video instead", u.Hostname())
	case ctx.Err() != nil:
		return ctx.Err()
	case refused:
		return refusal
	case body && errors.Is(broken, io.ErrUnexpectedEOF):
		return api.Errorf(502, "%s sent less than it declared: try again", u.Hostname())
	case body || request:
		return api.Errorf(502, "%s cannot be fetched from: %s", u.Hostname(), cause(err))
	}
	return err // of the writer
}

// cause is the kernel of an error of the network.
func cause(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not trusted"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "it does not answer"
	}
	for _, known := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ENETUNREACH, syscall.EHOSTUNREACH} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "it does not speak HTTP as it should, or hung up"
}

// title is the name that the server gives, or else the end of the URL's path.
func title(u *url.URL, h http.Header) string {
	if _, p, err := mime.ParseMediaType(h.Get("Content-Disposition")); err == nil {
		if t := clean(p["filename"]); t != "" {
			return t
		}
	}
	return clean(u.Path)
}

// clean is the last part of a path, as a title; "" where that is a folder's own name.
func clean(name string) string {
	if name = api.Title(path.Base(name)); name == "." || name == ".." {
		return ""
	}
	return name
}
