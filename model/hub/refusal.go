package hub

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// errAbsent is that the repository has no such file.
var errAbsent = errors.New("the repository has no such file")

// refusal is what an answer that is no success means, with what to do. The hub's own words
// are left out: a hostile one could say anything in them.
func (p *pull) refusal(r *http.Response) error {
	host := r.Request.URL.Host
	switch {
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusServiceUnavailable:
		return p.busy(r)
	case r.StatusCode >= 500, r.StatusCode == http.StatusRequestTimeout, !p.own(r.Request.URL):
		// Another host's address is signed for a while: asking the hub again renews it.
		return transientError{error: fmt.Errorf("%s answers %d: try again later", host, r.StatusCode)}
	}
	return p.denied(r.StatusCode, r.Header.Get("X-Error-Code"))
}

// denied is what the hub itself says no to.
func (p *pull) denied(status int, code string) error {
	page := p.endpoint.String() + "/" + p.ref.Repo()
	switch {
	case code == "EntryNotFound", code == "" && status == http.StatusNotFound:
		return errAbsent
	case code == "RevisionNotFound":
		return fmt.Errorf("%w: %s has no revision %s: name a branch, a tag, refs/pr/N or a commit of it with --revision", ErrNotFound, page, p.ref.Revision)
	case code == "GatedRepo":
		return fmt.Errorf("%s is gated: accept its terms on that page, and give a token of the same account in HF_TOKEN", page)
	case code == "RepoNotFound" && p.token != "":
		return fmt.Errorf("%w: %s is not there, or not for this token (%d): check the name and what HF_TOKEN may read", ErrNotFound, page, status)
	case code == "RepoNotFound", status == http.StatusUnauthorized && p.token == "":
		return fmt.Errorf("%w: %s is not there, or is private (%d): check the name; for a private one give a token in HF_TOKEN", ErrNotFound, page, status)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("the token was refused (401): make a new one at %s/settings/tokens, or take HF_TOKEN and its file away for a public model", p.endpoint)
	case status == http.StatusForbidden && p.token == "":
		return fmt.Errorf("%s may not be read without a token (403): give one in HF_TOKEN", page)
	case status == http.StatusForbidden:
		return fmt.Errorf("%s may not be read with this token (403): give it the right to read the model, at %s/settings/tokens", page, p.endpoint)
	}
	return fmt.Errorf("%s answers %d: check HF_ENDPOINT", p.endpoint.Host, status)
}

// busy is a server that wants to be asked later: within maxWait it is.
func (p *pull) busy(r *http.Response) error {
	after := retryAfter(r.Header.Get("Retry-After"), time.Now())
	err := fmt.Errorf("%s answers %d, too busy: try again later", r.Request.URL.Host, r.StatusCode)
	if p.token == "" && r.StatusCode == http.StatusTooManyRequests {
		err = fmt.Errorf("%w; with a token in HF_TOKEN more is allowed", err)
	}
	if after > maxWait {
		return fmt.Errorf("%w; it asks to wait %v", err, after.Round(time.Second))
	}
	return transientError{error: err, after: after}
}

// retryAfter reads seconds or a date; what is neither is 0.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
