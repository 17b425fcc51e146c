package http

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/tokens"
)

// anyone is the scope of what is open to all.
const anyone tokens.Scope = ""

// scheme is the name of the tokens in the description.
const scheme = "token"

// Needs is the Security of an operation that needs a scope.
func Needs(s tokens.Scope) []map[string][]string {
	return []map[string][]string{{scheme: {string(s)}}}
}

// Anyone is the Security of an operation that is open to all.
func Anyone() []map[string][]string { return []map[string][]string{{}} }

// scopeOf is the scope that an operation needs. One that does not say so needs read to read
// and admin for all else.
func scopeOf(op *huma.Operation) tokens.Scope {
	if len(op.Security) > 0 {
		if scopes := op.Security[0][scheme]; len(scopes) > 0 {
			return tokens.Scope(scopes[0])
		}
		return anyone
	}
	op.Security = Needs(tokens.Admin)
	if op.Method == http.MethodGet || op.Method == http.MethodHead {
		op.Security = Needs(tokens.Read)
	}
	return scopeOf(op)
}

// visitor is a caller with what the caller may do.
type visitor struct {
	api.Caller
	token tokens.Token
}

// may is nil where the visitor may do what needs a scope.
func (v visitor) may(s tokens.Scope) error {
	if v.Admin || v.token.Allows(s) {
		return nil
	}
	return api.Errorf(http.StatusForbidden, "the token %s may not do this: it needs the scope %s (captiond token add NAME --scopes %s)", v.token.Name, s, s)
}

// unauthorized is an error for clients without a token that is good.
type unauthorizedError struct {
	error
	challenge string
}

func unauthorized(challenge, message string) error {
	return &unauthorizedError{api.Errorf(http.StatusUnauthorized, "%s", message), challenge}
}

// Unwrap is for errors.As.
func (e *unauthorizedError) Unwrap() error { return e.error }

// identify says who asks. A token that is given is looked at, even where none is needed. One
// in the address is not: addresses are kept in logs and histories.
func (d *door) identify(r *http.Request) (visitor, error) {
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		if d.local && !d.RequireToken {
			return visitor{Caller: api.Caller{Admin: true}}, nil
		}
		return visitor{}, unauthorized(`Bearer realm="captiond"`, "this needs a token: send the header 'Authorization: Bearer captiond_...' (captiond token add NAME makes one)")
	}
	kind, secret, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(kind, "Bearer") || d.Tokens == nil {
		return visitor{}, wrongToken()
	}
	t, err := d.Tokens.Find(strings.TrimSpace(secret))
	switch {
	case errors.Is(err, tokens.ErrUnknown):
		return visitor{}, wrongToken()
	case err != nil:
		return visitor{}, fmt.Errorf("look for a token: %w", err)
	}
	return visitor{Caller: api.Caller{Name: t.Name, Admin: t.Allows(tokens.Admin)}, token: t}, nil
}

func wrongToken() error {
	return unauthorized(`Bearer realm="captiond", error="invalid_token"`,
		"this token is not known here, or its time is over: send the header 'Authorization: Bearer captiond_...' with another one (captiond token add NAME makes one)")
}

// rate takes from a caller's bucket.
func (d *door) rate(r *http.Request, kind tokens.Scope) error {
	return d.rates[kind].take(bucketOf(r), time.Now())
}

// bucketOf is whose limits a request counts against: the token's, else the address's. A host
// has any number of IPv6 addresses, but one network.
func bucketOf(r *http.Request) string {
	if name := CallerOf(r.Context()).Name; name != "" {
		return "token " + name
	}
	ip, err := netip.ParseAddr(hostName(r.RemoteAddr))
	if err != nil {
		return "address"
	}
	if ip = ip.Unmap(); ip.Is6() {
		network, _ := ip.WithZone("").Prefix(64) // 64 bits are within the address
		return network.String()
	}
	return ip.String()
}

// checkName refuses requests by another name than the daemon's: a page in a browser could
// have a name of its own lead here (DNS rebinding).
func (d *door) checkName(r *http.Request) error {
	name := hostName(r.Host)
	known := loopback(name) || slices.ContainsFunc(d.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
	if !known && !d.local {
		_, err := netip.ParseAddr(name)
		known = err == nil
	}
	if known {
		return nil
	}
	if d.local {
		return api.Errorf(http.StatusForbidden, "ask for localhost, or 127.0.0.1; other names stand in http.hosts")
	}
	return api.Errorf(http.StatusForbidden, "ask for this daemon by its address; names stand in http.hosts")
}

// checkOrigin refuses what the pages of others make a browser send, reading too: what is seen
// here is not for them. Clients that are no browsers send none of these headers.
func (d *door) checkOrigin(r *http.Request) error {
	if d.origin.Check(r) == nil && sameOrigin(r) {
		return nil
	}
	return api.Errorf(http.StatusForbidden, "pages of other sites may not ask this daemon: open the page that it serves, or use a client that is no browser")
}

func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	return true
}
