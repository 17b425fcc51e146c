package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/api/tokens"
)

func TestToken(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	added := captiond(t, "token", "add", "phone", "--scopes", "read,upload", "--expires", "90d", "--state", state)
	added.want(t, exitDone, "")
	secret := strings.TrimSuffix(added.out, "\n")
	token, err := tokens.Open(filepath.Join(state, "tokens.json")).Find(secret)
	if err != nil || !token.Allows(tokens.Upload) || token.Allows(tokens.Ask) {
		t.Errorf("%q is %+v, %v", secret, token, err)
	}
	if left := time.Until(token.Expires); left < 89*24*time.Hour || left > 90*24*time.Hour {
		t.Errorf("it is good for %v", left)
	}
	captiond(t, "token", "add", "phone", "--state", state).want(t, exitFailed, "there is a token phone")
	listed := captiond(t, "token", "list", "--state", state)
	if !strings.Contains(listed.out, "read,upload") || strings.Contains(listed.out, secret) {
		t.Errorf("listed:\n%s", listed.out)
	}
	captiond(t, "token", "remove", "phone", "--state", state).want(t, exitDone, "")
	captiond(t, "token", "remove", "phone", "--state", state).want(t, exitFailed, "there is no token phone")
}

// What listens beyond loopback asks for a token: without one the daemon does not begin.
func TestServeBeyondLoopback(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	check := []string{"serve", "--check", "--state", state, "--http", "0.0.0.0:0"}
	captiond(t, check...).want(t, exitUsage, "captiond token add")
	captiond(t, "token", "add", "me", "--scopes", "read", "--state", state).want(t, exitDone, "")
	captiond(t, check...).want(t, exitDone, "")
	captiond(t, append(check, "--http-cert-file", "none.pem", "--http-key-file", "none.pem")...).want(t, exitUsage, "http.cert_file")
}

func TestTokenUsage(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"add", "a", "--scopes", "write"}, "there is no scope"},
		{[]string{"add", "a", "--expires", "soon"}, "--expires must be"},
		{[]string{"add", "a", "--expires", "-1h"}, "--expires must be"},
		{[]string{"add"}, "accepts 1 arg"},
	} {
		captiond(t, append([]string{"token", "--state", state}, c.args...)...).want(t, exitUsage, c.want)
	}
}
