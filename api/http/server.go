// Package http is the door for browsers and monitoring: /livez, /readyz and /metrics.
package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The limits of a connection.
const (
	headerTime  = 5 * time.Second
	requestTime = 15 * time.Second // to read, and to answer
	idleTime    = time.Minute
	lastRequest = 3 * time.Second // for what is under way when the server ends
	maxHeader   = 16 << 10        // bytes
)

// Options are what the server tells. Both may be asked by several goroutines at once.
type Options struct {
	Ready   func(context.Context) Readiness
	Metrics prometheus.Gatherer
	Log     *slog.Logger
}

// Readiness is the answer of /readyz: 200 where OK, else 503. A camera that is away does not
// make a daemon unready: it is told.
type Readiness struct {
	OK      bool              `json:"ok"`
	Version string            `json:"version"`
	Uptime  float64           `json:"uptime_seconds"`
	Checks  map[string]Check  `json:"checks"`
	Cameras map[string]Camera `json:"cameras"`
}

// Check is one of the things that a daemon rests on.
type Check struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what it is, or what is wrong
}

// Camera is how a camera is.
type Camera struct {
	State        string   `json:"state"`
	Detail       string   `json:"detail,omitempty"`
	LastFrameAge *float64 `json:"last_frame_age_seconds"` // null before the first frame
	Epoch        int64    `json:"epoch,omitempty"`
	Clock        string   `json:"clock,omitempty"`
	ClockErrorMS int64    `json:"clock_error_ms,omitempty"`
}

// Serve answers requests until ctx ends, and then those that are under way. It closes the
// listener.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	s := &http.Server{
		Handler: handler(o), ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRequest)
	defer cancel()
	err := s.Shutdown(limited)
	if err != nil {
		err = s.Close()
	}
	return errors.Join(err, closed(<-ended))
}

// closed is nil where a server ended because it was asked to.
func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { ready(w, o.Ready(r.Context())) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: requestTime}))
	return local(mux)
}

func ready(w http.ResponseWriter, r Readiness) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !r.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(r) // the client may be gone
}

// local refuses requests by another name than this machine's: a page in a browser could have
// a name of its own lead here (DNS rebinding).
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.Host) {
			http.Error(w, "ask for localhost, or 127.0.0.1", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.IsLoopback()
}

// Listen opens an address on the loopback interface.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err == nil && !loopback(host) {
		err = errors.New("it is not on the loopback interface")
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP (http.listen): %w", err)
	}
	return l, nil
}
