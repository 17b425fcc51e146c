package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxRedirects = 10
	maxAttempts  = 5           // without a byte of progress
	firstWait    = time.Second // doubled after each attempt
	maxWait      = 5 * time.Minute
)

// A transientError may be gone when the same is asked again.
type transientError struct {
	error
	after time.Duration // what the server asks for, 0 for nothing
}

func (e transientError) Unwrap() error { return e.error }

// insist tries until it succeeds, fails for good or has failed maxAttempts times without
// getting anywhere.
func (c *Client) insist(ctx context.Context, what string, try func(context.Context) (moved bool, err error)) error {
	for failures := 0; ; {
		moved, err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var again transientError
		if !errors.As(err, &again) {
			return err
		}
		if moved {
			failures = 0
		}
		if failures++; failures >= maxAttempts {
			return fmt.Errorf("gave up after %d attempts: %w; what was downloaded is kept, and the same command goes on from there", failures, err)
		}
		wait := max(again.after, firstWait<<(failures-1))
		c.log().Warn("the hub is asked again", "file", what, "after", wait, "reason", err)
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// trip is a request with the redirects that it meets.
type trip struct {
	method string
	url    *url.URL
	home   bool                 // ends where the endpoint's own host is left
	dress  func(*http.Request)  // adds headers to each request; may be nil
	see    func(*http.Response) // sees every answer; may be nil
}

// travel returns the last answer of a trip. Its body is the caller's to close.
func (c *Client) travel(ctx context.Context, t trip) (*http.Response, error) {
	at := t.url
	for range maxRedirects + 1 {
		answer, err := c.ask(ctx, t, at)
		if err != nil {
			return nil, err
		}
		if t.see != nil {
			t.see(answer)
		}
		next, err := redirect(answer, at)
		if err == nil && (next == nil || t.home && !c.own(next)) {
			return answer, nil
		}
		_ = answer.Body.Close()
		if err != nil {
			return nil, err
		}
		at = next
	}
	return nil, fmt.Errorf("%s redirects more than %d times: set HF_ENDPOINT to the address of a hub", t.url.Host, maxRedirects)
}

// ask sends one request. The token goes to the endpoint's own host alone, and not in clear.
func (c *Client) ask(ctx context.Context, t trip, at *url.URL) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, t.method, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: its address cannot be asked", at.Host)
	}
	r.Header.Set("User-Agent", "captiond")
	r.Header.Set("Accept-Encoding", "identity")
	if t.dress != nil {
		t.dress(r)
	}
	if c.token != "" && c.own(at) && !inClear(at) {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.RoundTrip(r)
	if err != nil {
		return nil, unreachable(ctx, at.Host, err)
	}
	return answer, nil
}

// unreachable says why a host gave no answer.
func unreachable(ctx context.Context, host string, err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("reach %s: %w: name the file of your proxy's or hub's certificates in SSL_CERT_FILE", host, err)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return transientError{error: fmt.Errorf("reach %s: %w: check the network, HTTPS_PROXY and HF_ENDPOINT", host, err)}
}

// own says whether an address is at the endpoint's own host.
func (c *Client) own(u *url.URL) bool { return origin(u) == origin(c.endpoint) }

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// redirect is where an answer leads, nil where it does not.
func redirect(r *http.Response, from *url.URL) (*url.URL, error) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	next, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		return nil, fmt.Errorf("%s redirects to what is no address", from.Host)
	}
	next = from.ResolveReference(next)
	next.User, next.Fragment = nil, ""
	if next.Scheme != "https" && (next.Scheme != "http" || from.Scheme != "http") || next.Host == "" {
		return nil, fmt.Errorf("%s redirects to %.20q, which is not safe: set HF_ENDPOINT to an https address", from.Host, next.Scheme+"://")
	}
	return next, nil
}
