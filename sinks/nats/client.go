package nats

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options say which server to use and what the stream keeps. Zero values stand for
// what each line says.
type Options struct {
	Server          *Server       // the embedded one; with it URL is not used
	URL             string        // servers, separated by commas; may hold user and password
	User, Password  string        // none
	CredentialsFile string        // a .creds file; none
	CAFile          string        // trust these certificates (PEM) and insist on TLS; the system's
	Name            string        // the connection's name on the server; captiond
	Prefix          string        // first token of all subjects; captiond
	Retention       time.Duration // what a new stream keeps: 7 days
	MaxBytes        int64         // and at most: 1 GiB
	Wait            time.Duration // how long a publish waits for the server: 5 s
	Logger          *slog.Logger  // none
}

func (o Options) withDefaults() Options {
	o.Name = cmp.Or(o.Name, "captiond")
	o.Prefix = cmp.Or(o.Prefix, "captiond")
	o.Retention = cmp.Or(o.Retention, 7*24*time.Hour)
	o.MaxBytes = cmp.Or(o.MaxBytes, 1<<30)
	o.Wait = cmp.Or(o.Wait, 5*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// Client is a connection that publishes and reads events.
type Client struct {
	nc         *nats.Conn
	js         jetstream.JetStream
	o          Options
	found      atomic.Bool  // the stream is there and fits
	duplicates atomic.Int64 // acknowledged as known already
	problem    atomic.Pointer[error]
	done       chan struct{} // closed with the connection
}

// Dial connects. A server that is away is no error: the client goes on trying for as
// long as it lives, and what needs the server says so. Errors name what is wrong with
// the options, never a credential.
func Dial(o Options) (*Client, error) {
	c := &Client{o: o.withDefaults(), done: make(chan struct{})}
	servers, err := serverURLs(c.o)
	if err != nil {
		return nil, err
	}
	if c.nc, err = nats.Connect(servers, c.options()...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if c.js, err = jetstream.New(c.nc); err != nil {
		c.nc.Close()
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return c, nil
}

// serverURLs checks the URLs itself, because the library's errors repeat them.
func serverURLs(o Options) (string, error) {
	if o.Server != nil {
		return "", nil
	}
	for _, part := range strings.Split(o.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || u.Host == "" {
			return "", errors.New("connect to NATS: the URL must be like nats://host:4222")
		}
	}
	return o.URL, nil
}

func (c *Client) options() []nats.Option {
	o := []nats.Option{
		nats.Name(c.o.Name), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.IgnoreAuthErrorAbort(), // a password may be put right while we run
		nats.ReconnectBufSize(-1),   // the outbox is the only buffer
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.note(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.note(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.note(err) }),
		nats.ConnectHandler(func(nc *nats.Conn) { c.connected(nc) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { c.connected(nc) }),
		nats.ClosedHandler(func(*nats.Conn) { close(c.done) }),
	}
	if c.o.Server != nil {
		o = append(o, nats.InProcessServer(c.o.Server.server))
	}
	if c.o.User != "" {
		o = append(o, nats.UserInfo(c.o.User, c.o.Password))
	}
	if c.o.CredentialsFile != "" {
		o = append(o, nats.UserCredentials(c.o.CredentialsFile))
	}
	if c.o.CAFile != "" {
		o = append(o, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}), nats.RootCAs(c.o.CAFile))
	}
	return o
}

// note keeps what the server or the network last complained of: a request that times
// out has no better reason to give. It logs each complaint once in a row.
func (c *Client) note(err error) {
	if err == nil {
		return
	}
	last := c.problem.Swap(&err)
	if last == nil || (*last).Error() != err.Error() {
		c.o.Logger.Warn("nats problem", "err", err)
	}
}

func (c *Client) connected(nc *nats.Conn) {
	c.problem.Store(nil)
	c.o.Logger.Info("nats connected", "server", nc.ConnectedUrlRedacted())
}

// Problem is what the server or the network last complained of, nil after a
// connection without complaints.
func (c *Client) Problem() error {
	if p := c.problem.Load(); p != nil {
		return *p
	}
	return nil
}

// Duplicates is how many publishes were acknowledged as known to the stream already.
func (c *Client) Duplicates() int64 { return c.duplicates.Load() }

// Close closes the connection and waits until it is. Nothing is under way by then,
// since Publish waits for its acknowledgement.
func (c *Client) Close(ctx context.Context) error {
	c.nc.Close()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close NATS connection: %w", ctx.Err())
	}
}
