package reach

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/captiond/captiond/api"
)

const (
	maxRedirects = 5
	maxHeader    = 64 << 10 // bytes
)

// Limits of a fetch. Each must be above 0.
type Limits struct {
	Bytes int64         // as declared, and as they come
	Idle  time.Duration // without a byte
}

// Fetched is what came.
type Fetched struct {
	Title string // what the video seems to be called, for people to read; never a path
	Bytes int64  // written
}

// Fetch writes what a URL (http or https) leads to, and follows redirects, each checked
// like the URL itself. It uses no proxy, no cookie and no credential. Errors are
// *api.Error, except those of w and ctx: they name the host that was asked for, never a
// path, a query or an address it resolved to. After an error part of it may be written.
func (p Policy) Fetch(ctx context.Context, address string, w io.Writer, l Limits) (Fetched, error) {
	u, err := ParseURL(address)
	if err != nil {
		return Fetched{}, err
	}
	patient, alarm := watch(ctx, l.Idle)
	defer alarm.stop()
	res, err := p.get(patient, u, alarm)
	if err != nil {
		return Fetched{}, explain(patient, u, err)
	}
	defer func() { _ = res.Body.Close() }() // nothing is kept alive
	if err := acceptable(res, l); err != nil {
		return Fetched{}, err
	}
	n, err := copyBody(w, res.Body, l.Bytes, alarm)
	if err != nil {
		return Fetched{Bytes: n}, explain(patient, u, err)
	}
	return Fetched{Title: title(u, res.Header), Bytes: n}, nil
}

// ParseURL reads the URL of a video. Errors are *api.Error and do not repeat it.
func ParseURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Opaque != "":
		return nil, api.Errorf(422, "the URL cannot be read: write it like https://example.org/clip.mp4")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, api.Errorf(422, "the URL must begin with https:// or http://")
	case u.User != nil:
		return nil, api.Errorf(422, "the URL holds a user or password: this daemon sends none; upload the video instead")
	}
	if _, _, err := parseHost(u.Hostname()); err != nil {
		return nil, err
	}
	return u, nil
}

func (p Policy) get(ctx context.Context, u *url.URL, a *alarm) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "captiond")
	req.Header.Set("Accept", "video/*, image/*, */*;q=0.5")
	return p.client(a).Do(req)
}

// client makes a new connection for every hop, so that each is checked.
func (p Policy) client(a *alarm) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: p.DialContext, DisableKeepAlives: true, DisableCompression: true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.Roots},
			TLSHandshakeTimeout: 2 * dialTime, MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			a.reset()
			r.Header.Del("Referer") // it may hold a signature
			if len(via) > maxRedirects {
				return api.Errorf(422, "the URL leads to more than %d redirects: give the last one", maxRedirects)
			}
			_, err := ParseURL(r.URL.String())
			return err
		},
	}
}

func acceptable(r *http.Response, l Limits) error {
	switch {
	case r.StatusCode != http.StatusOK:
		return api.Errorf(422, "the URL's server answered %d: check that it gives the video without a login", r.StatusCode)
	case r.ContentLength > l.Bytes:
		return tooLarge(l.Bytes)
	case r.ContentLength == 0:
		return errEmpty()
	case r.Header.Get("Content-Encoding") != "" && r.Header.Get("Content-Encoding") != "identity":
		return api.Errorf(422, "the URL's server compresses what it was asked to send as it is")
	}
	return nil
}

func tooLarge(limit int64) error {
	return api.Errorf(413, "the video is larger than %d bytes, the most that this daemon takes", limit)
}

func errEmpty() error { return api.Errorf(422, "the URL's server sent nothing") }

// copyBody copies at most limit bytes.
func copyBody(w io.Writer, body io.Reader, limit int64, a *alarm) (int64, error) {
	n, err := io.Copy(w, io.LimitReader(fed{body, a}, limit))
	if err != nil {
		return n, err
	}
	switch more, err := io.ReadFull(fed{body, a}, make([]byte, 1)); {
	case more > 0:
		return n, tooLarge(limit)
	case !errors.Is(err, io.EOF):
		return n, err
	case n == 0:
		return 0, errEmpty()
	}
	return n, nil
}

// errIdle ends a fetch from a server that sends nothing.
var errIdle = errors.New("no byte came in time")

// An alarm ends a context when it has not been reset or rested for a while.
type alarm struct {
	idle  time.Duration
	timer *time.Timer
	end   context.CancelCauseFunc
}

func watch(ctx context.Context, idle time.Duration) (context.Context, *alarm) {
	ctx, end := context.WithCancelCause(ctx)
	return ctx, &alarm{idle, time.AfterFunc(idle, func() { end(errIdle) }), end}
}

func (a *alarm) reset() { a.timer.Reset(a.idle) }

func (a *alarm) rest() { a.timer.Stop() }

func (a *alarm) stop() {
	a.rest()
	a.end(nil)
}

// fed is a body that is watched while it is waited for, and not while its reader is busy.
type fed struct {
	io.Reader
	alarm *alarm
}

func (f fed) Read(b []byte) (int, error) {
	f.alarm.reset()
	defer f.alarm.rest()
	n, err := f.Reader.Read(b)
	return n, bodyError(err)
}
