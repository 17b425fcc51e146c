package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ErrUnknown is returned for a secret that is no token's, or no longer.
var ErrUnknown = errors.New("this token is not known, or its time is over")

// Store is the file of tokens. It may be used by any number of goroutines, and the file by
// any number of processes.
type Store struct {
	path string

	mu     sync.Mutex
	tokens []Token
	seen   fs.FileInfo // the file that they are from; nil where there was none
}

// Open is the store in a file, which need not be there yet.
func Open(path string) *Store { return &Store{path: path} }

// Find is the token with a secret, ErrUnknown where there is none that is alive. Any other
// error is about the file: nobody is to be let in then.
func (s *Store) Find(secret string) (Token, error) {
	all, err := s.List()
	if err != nil {
		return Token{}, err
	}
	t, ok := find(all, secret)
	if !ok || t.Expired(time.Now()) {
		return Token{}, ErrUnknown
	}
	return t, nil
}

// Any says whether some token is alive.
func (s *Store) Any() (bool, error) {
	all, err := s.List()
	now := time.Now()
	return slices.ContainsFunc(all, func(t Token) bool { return !t.Expired(now) }), err
}

// List is all tokens in the order in which they were added, dead ones too.
func (s *Store) List() ([]Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.tokens, s.seen = nil, nil
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read tokens: %w", err)
	case s.seen != nil && sameFile(info, s.seen):
		return s.tokens, nil
	}
	return s.read()
}

// sameFile: every change is a new file, see save.
func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// read takes what it remembers of the file from the file that it read.
func (s *Store) read() ([]Token, error) {
	s.tokens, s.seen = nil, nil
	f, err := os.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	var all []Token
	if err := json.NewDecoder(f).Decode(&all); err != nil {
		return nil, fmt.Errorf("read tokens from %s: %w; mend the file, or remove it and add the tokens again", s.path, err)
	}
	s.tokens, s.seen = all, info
	return all, nil
}

// Add makes a token and returns its secret, which is kept nowhere. A zero time is never.
func (s *Store) Add(name string, scopes []Scope, expires time.Time) (secret string, err error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	secret = newSecret()
	t := Token{Name: name, SHA256: hash(secret), Scopes: scopes, Created: time.Now().UTC().Truncate(time.Second), Expires: expires}
	err = s.change(func(all []Token) ([]Token, error) {
		if slices.ContainsFunc(all, func(t Token) bool { return t.Name == name }) {
			return nil, fmt.Errorf("there is a token %s: remove it first (captiond token remove %s), or take another name", name, name)
		}
		return append(all, t), nil
	})
	return secret, err
}

// Remove ends a token.
func (s *Store) Remove(name string) error {
	return s.change(func(all []Token) ([]Token, error) {
		left := slices.DeleteFunc(all, func(t Token) bool { return t.Name == name })
		if len(left) == len(all) {
			return nil, fmt.Errorf("there is no token %s: captiond token list shows all", name)
		}
		return left, nil
	})
}

// change reads, changes and writes, while no other process does.
func (s *Store) change(by func([]Token) ([]Token, error)) (err error) {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("write tokens: %w", err)
	}
	lock, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("write tokens: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // which gives the lock back
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock tokens: %w", err)
	}
	all, err := s.List()
	if err != nil {
		return err
	}
	changed, err := by(slices.Clone(all))
	if err != nil {
		return err
	}
	if err := save(s.path, changed); err != nil {
		return fmt.Errorf("write tokens: %w", err)
	}
	return nil
}

// save replaces the file: a reader sees the old one or the new one, whole.
func save(path string, all []Token) (err error) {
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tokens-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
