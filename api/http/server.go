// Package http is the door for browsers, scripts and monitoring: uploads, questions, captions
// and the state of the daemon, as an API that describes itself (openapi.yaml).
//
// Every route comes through one place (door), which asks for the token, looks at the names
// and origins that the client gives, and holds it to its limits. All errors are
// application/problem+json (RFC 9457) and say what to do. What the daemon does lies behind
// the interfaces of Options; resumable uploads are in api/http/tus.
package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/net/netutil"

	"github.com/captiond/captiond/api/tokens"
)

// The limits of a connection.
const (
	idleTime    = time.Minute
	lastRequest = 3 * time.Second // for what is under way when the server ends
	maxHeader   = 16 << 10        // bytes
)

// Options are what the server tells and does. What is nil is answered with 501 and a
// sentence. All of it may be asked by several goroutines at once.
type Options struct {
	Ready   func(context.Context) Readiness
	Metrics *Metrics
	Log     *slog.Logger

	Videos  Videos
	Uploads Uploads
	Library Library
	Folder  string // where uploads come in; "" where there are none
	Asker   Asker
	Fetch   Fetch
	More    []Routes // of others

	Tokens       *tokens.Store // nil: there are none
	RequireToken bool          // on the loopback interface, too
	Hosts        []string      // names by which clients may ask, beside localhost and addresses
	Certificate  string        // file (PEM); "" for plain HTTP
	Key          string        // file (PEM) of its private key
	Limits       Limits
}

// Routes are added to an API, by Register or Mount.
type Routes = func(a huma.API)

// Fetch writes what an address leads to, and says by what name. Its errors are *api.Error as
// far as the address is to blame.
type Fetch func(ctx context.Context, address string, w io.Writer) (title string, err error)

// Serve answers requests until ctx ends, and then those that are under way. It closes the
// listener. One that is not on the loopback interface lets nobody in without a token.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	o.Limits = o.Limits.orDefault()
	d := newDoor(o, loopback(l.Addr().String()))
	d.routes()
	var working sync.WaitGroup
	ending := make(chan struct{})
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			working.Add(1)
			defer working.Done()
			d.ServeHTTP(w, r)
		}),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), endingKey{}, ending)
		},
		ReadHeaderTimeout: o.Limits.Header, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		ErrorLog:  slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	s.RegisterOnShutdown(func() { close(ending) })
	ended := make(chan error, 1)
	go func() { ended <- serveOn(s, netutil.LimitListener(l, o.Limits.Connections), o) }()
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
	working.Wait()
	return errors.Join(err, closed(<-ended))
}

type endingKey struct{}

// untilEnd is over when a request is, and as soon as the server waits for the last requests: for
// answers that have no end of their own. stop frees it.
func untilEnd(request context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = context.WithCancel(request)
	ending, _ := ctx.Value(endingKey{}).(chan struct{})
	go func() {
		select {
		case <-ending:
			stop()
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

func serveOn(s *http.Server, l net.Listener, o Options) error {
	if o.Certificate != "" {
		return s.ServeTLS(l, o.Certificate, o.Key)
	}
	return s.Serve(l)
}

// closed is nil where a server ended because it was asked to.
func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// loopback says whether a host, with a port or without, is this machine to itself.
func loopback(host string) bool {
	name := hostName(host)
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// hostName is a host without its port and brackets.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

// Listen opens an address. Beyond the loopback interface there must be a token first.
func Listen(address string, t *tokens.Store) (net.Listener, error) {
	if err := MayListen(address, t); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP (http.listen): %w", err)
	}
	return l, nil
}

// MayListen is nil for an address on the loopback interface, and for others if there is a token.
func MayListen(address string, t *tokens.Store) error {
	if err := mayListen(address, t); err != nil {
		return fmt.Errorf("listen for HTTP on %s (http.listen): %w", address, err)
	}
	return nil
}

func mayListen(address string, t *tokens.Store) error {
	_, _, err := net.SplitHostPort(address)
	if err != nil || loopback(address) {
		return err
	}
	some := false
	if t != nil {
		if some, err = t.Any(); err != nil {
			return err
		}
	}
	if !some {
		return errors.New("beyond the loopback interface nobody is let in without a token, and there is none: make one with `captiond token add NAME`, or listen on 127.0.0.1")
	}
	return nil
}
