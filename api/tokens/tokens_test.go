package tokens

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func add(t *testing.T, s *Store, name string, expires time.Time, scopes ...Scope) string {
	t.Helper()
	secret, err := s.Add(name, scopes, expires)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestFind(t *testing.T) {
	t.Parallel()
	s := Open(filepath.Join(t.TempDir(), "new", "tokens.json"))
	if some, err := s.Any(); some || err != nil {
		t.Errorf("before the first token: %t, %v", some, err)
	}
	secret := add(t, s, "reader", time.Time{}, Read)
	late := add(t, s, "late", time.Now().Add(-time.Second), Admin)
	found, err := s.Find(secret)
	if err != nil || found.Name != "reader" || !found.Allows(Read) || found.Allows(Ask) {
		t.Errorf("found %+v, %v", found, err)
	}
	for _, wrong := range []string{late, "", secret[:len(secret)-1], secret + "A", strings.ToUpper(secret), found.SHA256} {
		if found, err := s.Find(wrong); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %+v, %v", wrong, found, err)
		}
	}
	if len(secret) != len(prefix)+43 || !strings.HasPrefix(secret, prefix) {
		t.Errorf("secret has %d characters", len(secret))
	}
}

func TestExpiredIsNone(t *testing.T) {
	t.Parallel()
	s := Open(filepath.Join(t.TempDir(), "tokens.json"))
	add(t, s, "late", time.Now().Add(-time.Second), Admin)
	if some, err := s.Any(); some || err != nil {
		t.Errorf("%t, %v", some, err)
	}
}

func TestAdminMayAll(t *testing.T) {
	t.Parallel()
	for _, scope := range Scopes() {
		if !(Token{Scopes: []Scope{Admin}}).Allows(scope) {
			t.Errorf("admin may not %s", scope)
		}
	}
}

// The file is read by one process and written by another: what is removed is refused at once.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.json")
	daemon, tool := Open(path), Open(path)
	secret := add(t, tool, "a", time.Time{}, Read)
	if _, err := daemon.Find(secret); err != nil {
		t.Error(err)
	}
	for range 20 {
		if err := tool.Remove("a"); err != nil {
			t.Fatal(err)
		}
		if _, err := daemon.Find(secret); !errors.Is(err, ErrUnknown) {
			t.Fatalf("removed: %v", err)
		}
		secret = add(t, tool, "a", time.Time{}, Read)
		if _, err := daemon.Find(secret); err != nil {
			t.Fatalf("added again: %v", err)
		}
	}
}

func TestConcurrentAdds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.json")
	var adding sync.WaitGroup
	for _, name := range strings.Split("abcdefgh", "") {
		adding.Go(func() {
			if _, err := Open(path).Add(name, []Scope{Read}, time.Time{}); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	if all, err := Open(path).List(); err != nil || len(all) != 8 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
}

// The file holds no secret, and is nobody else's to read.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.json")
	secret := add(t, Open(path), "a", time.Time{}, Read)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(b); strings.Contains(text, secret) || strings.Contains(text, strings.TrimPrefix(secret, prefix)) {
		t.Error("the secret is in the file")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A file that cannot be read lets nobody in.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.json")
	s := Open(path)
	secret := add(t, s, "a", time.Time{}, Read)
	if _, err := s.Find(secret); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`[{"name":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Find(secret); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := s.Add("b", []Scope{Read}, time.Time{}); err == nil {
		t.Error("a damaged file was written over")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s := Open(filepath.Join(t.TempDir(), "tokens.json"))
	add(t, s, "a", time.Time{}, Read)
	for _, name := range []string{"a", "", "a b", "a/b", strings.Repeat("a", 65), "ü"} {
		if _, err := s.Add(name, []Scope{Read}, time.Time{}); err == nil {
			t.Errorf("%q: added", name)
		}
	}
	if err := s.Remove("b"); err == nil {
		t.Error("removed what is not there")
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	if got, err := ParseScopes("read, ask,read"); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "write", "read,", "Read"} {
		if got, err := ParseScopes(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
