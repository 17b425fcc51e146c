// Package tokens keeps what lets clients in where an address alone does not: named secrets
// with scopes. Only their hashes are stored, in one file that the daemon reads and `captiond
// token` writes. A token that is removed there is refused from the next request on.
package tokens

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Scope is what a token may do.
type Scope string

// The scopes. Admin may do all, with what is others', too.
const (
	Read   Scope = "read"   // see videos, captions, cameras and events
	Ask    Scope = "ask"    // spend the model's time: questions, captions, labels
	Upload Scope = "upload" // send videos, cancel and delete one's own
	Admin  Scope = "admin"
)

// Scopes are all of them.
func Scopes() []Scope { return []Scope{Read, Ask, Upload, Admin} }

// ParseScopes reads scopes that are separated by commas.
func ParseScopes(text string) ([]Scope, error) {
	var scopes []Scope
	for name := range strings.SplitSeq(text, ",") {
		s := Scope(strings.TrimSpace(name))
		if !slices.Contains(Scopes(), s) {
			return nil, fmt.Errorf("there is no scope %q: give some of read, ask, upload and admin, separated by commas", s)
		}
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return scopes, nil
}

// Token is what is known of a token. The secret is not.
type Token struct {
	Name    string    `json:"name"`
	SHA256  string    `json:"sha256"` // of the secret, in hexadecimal
	Scopes  []Scope   `json:"scopes"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// Allows says whether the token may do what needs a scope.
func (t Token) Allows(s Scope) bool {
	return slices.Contains(t.Scopes, s) || slices.Contains(t.Scopes, Admin)
}

// Expired says whether the token's time is over.
func (t Token) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// prefix makes a secret known for what it is, to people and to scanners of repositories.
const prefix = "captiond_"

// secretBytes are as many as cannot be guessed: 256 bits.
const secretBytes = 32

func newSecret() string {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // it never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// hash needs no salt and no work factor: the secrets are random.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// find compares with all tokens, whichever it is: the time tells nothing.
func find(all []Token, secret string) (found Token, ok bool) {
	given := []byte(hash(secret))
	for _, t := range all {
		if subtle.ConstantTimeCompare([]byte(t.SHA256), given) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

// checkName: names are shown, and say whose a video is.
func checkName(name string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`).MatchString(name) {
		return fmt.Errorf("a token's name is 1 to 64 letters, digits, dots, dashes and underscores, not %q", name)
	}
	return nil
}
