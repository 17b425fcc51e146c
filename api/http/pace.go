package http

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// slowError is a body that comes too slowly. It is a time-out to whoever asks.
type slowError struct{}

func (slowError) Error() string   { return "the body came too slowly" }
func (slowError) Timeout() bool   { return true }
func (slowError) Temporary() bool { return false }

// pacedBody is the body of a request that must come: each byte in time, and all at a least
// speed on average, so that one who sends a byte now and then does not keep a place forever.
// What the reader does in between is not counted.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	limits  Limits
	waited  time.Duration
	bytes   int64
	ended   bool
}

// newPacedBody bounds the reading from here on, also by the server itself, which takes the
// rest of a body that nobody wanted.
func newPacedBody(w http.ResponseWriter, r *http.Request, l Limits) *pacedBody {
	b := &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), limits: l}
	_ = b.control.SetReadDeadline(time.Now().Add(l.Patience))
	return b
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	began := time.Now()
	_ = b.control.SetReadDeadline(began.Add(b.limits.Patience))
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(began)
	b.bytes += int64(n)
	if errors.Is(err, io.EOF) {
		b.ended = true
		// The server watches from now on whether the client goes. It may take its time.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	slow := b.waited > b.limits.Grace && float64(b.bytes) < b.waited.Seconds()*float64(b.limits.Speed)
	if err == nil && slow || errors.Is(err, os.ErrDeadlineExceeded) {
		return n, slowError{}
	}
	return n, err
}

// Close leaves the body to the server, and to linger.
func (*pacedBody) Close() error { return nil }

// How much of a body that was not wanted is taken all the same: a client that is still sending
// when its connection is closed may never see the answer.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 32 << 20
)

// linger sends the answer, and takes some of what the handler left of the body.
func (b *pacedBody) linger(w *reply, r *http.Request) {
	if b.ended || r.Header.Get("Expect") != "" {
		return
	}
	_ = w.FlushError()
	_ = b.control.SetReadDeadline(time.Now().Add(min(lingerTime, b.limits.Patience)))
	_, _ = io.CopyN(io.Discard, b.ReadCloser, lingerBytes)
}

// reply is the answer to a request: it remembers what the metrics want to know, and gives
// each piece its time, however long all of it may take.
type reply struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	route    string     // METHOD /path/{with}/names, "" where nothing answers to that
	status   int        // 0 before the head
	own      bool       // the handler sets deadlines itself
	body     *pacedBody // of the request; nil where it has none
}

func newReply(w http.ResponseWriter, patience time.Duration) *reply {
	return &reply{ResponseWriter: w, control: http.NewResponseController(w), patience: patience}
}

// Unwrap is for http.ResponseController.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *reply) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
		w.hasty()
	}
	w.ResponseWriter.WriteHeader(status)
}

// hasty answers before all of the body has come: the server would wait for it, and then take
// what comes after for the next request.
func (w *reply) hasty() {
	if w.body != nil && !w.body.ended {
		_ = w.control.EnableFullDuplex()
		w.Header().Set("Connection", "close")
	}
}

// piece is what a slow client can take within the patience.
const piece = 64 << 10

// Write implements io.Writer.
func (w *reply) Write(b []byte) (n int, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	for {
		w.extend()
		some := min(len(b), piece)
		k, err := w.ResponseWriter.Write(b[:some])
		if n += k; err != nil {
			return n, err
		}
		if b = b[some:]; len(b) == 0 {
			return n, nil
		}
	}
}

// FlushError is for http.ResponseController.
func (w *reply) FlushError() error {
	w.extend()
	return w.control.Flush()
}

// Flush implements http.Flusher.
func (w *reply) Flush() { _ = w.FlushError() }

// SetWriteDeadline is for http.ResponseController: who sets deadlines is left to it.
func (w *reply) SetWriteDeadline(t time.Time) error {
	w.own = true
	return w.control.SetWriteDeadline(t)
}

func (w *reply) extend() {
	if !w.own {
		_ = w.control.SetWriteDeadline(time.Now().Add(w.patience))
	}
}
