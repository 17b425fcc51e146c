package index_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/index"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	m := newMemory(noon)
	path := filepath.Join(t.TempDir(), "index.db")
	x := open(t, path, m)
	end := run(t, x)
	for i := range 9 {
		m.put(t, caption([]string{"door", "yard", "hall"}[i%3], "a word", i))
	}
	holds(t, x, 9, 8, 7, 6, 5, 4, 3, 2, 1)
	m.drop(1, 2)
	holds(t, x, 9, 8, 7, 6, 5, 4, 3)
	m.drop(5, 6, 8) // in the middle: a subject was purged
	holds(t, x, 9, 7, 4, 3)
	if err := x.Forget(t.Context(), "hall"); err != nil {
		t.Fatal(err)
	}
	if got := seqs(t, x, api.Query{Words: "word"}); len(got) != 2 || got[0] != 7 || got[1] != 4 {
		t.Errorf("after hall was forgotten: %v", got)
	}
	end()
	m.drop(4)
	m.put(t, caption("door", "a word", 10))
	m.drop(7)
	run(t, x) // what went and came while it did not run
	holds(t, x, 10)
}

func TestStreamMadeAnew(t *testing.T) {
	t.Parallel()
	m := newMemory(noon)
	path := filepath.Join(t.TempDir(), "index.db")
	x := open(t, path, m)
	end := run(t, x)
	m.put(t, caption("door", "old", 0), caption("door", "old", 1))
	holds(t, x, 2, 1)
	m.reset(noon.Add(time.Hour)) // while it is read, and soon longer than the old one
	m.put(t, caption("door", "new", 0), caption("door", "new", 1), caption("door", "new", 2))
	holds(t, x, 3, 2, 1)
	until(t, "nothing of the old stream is held", func() bool {
		return len(seqs(t, x, api.Query{Words: "old"})) == 0 && len(seqs(t, x, api.Query{Words: "new"})) == 3
	})
	end()
	m.reset(noon.Add(2 * time.Hour)) // while it is not
	m.put(t, caption("door", "newest", 0), caption("door", "newest", 1), caption("door", "newest", 2), caption("door", "newest", 3))
	run(t, x)
	holds(t, x, 4, 3, 2, 1)
	if got := seqs(t, x, api.Query{Words: "newest"}); len(got) != 4 {
		t.Errorf("of the new stream: %v", got)
	}
}

func TestRebuild(t *testing.T) {
	t.Parallel()
	m := newMemory(noon)
	x := open(t, filepath.Join(t.TempDir(), "index.db"), m)
	run(t, x)
	m.put(t, caption("door", "a", 0), caption("door", "b", 1))
	holds(t, x, 2, 1)
	if err := x.Forget(t.Context(), "door"); err != nil { // the stream holds it yet
		t.Fatal(err)
	}
	holds(t, x)
	x.Rebuild()
	holds(t, x, 2, 1)
}

// TestDamage: whatever is found in the place of the index, it is made anew.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"no database": func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("not a database. "), 999), 0o600)
		},
		"cut":             func(path string) error { return os.Truncate(path, 5000) },
		"overwritten":     func(path string) error { return overwrite(path, 2) },
		"head lost":       func(path string) error { return overwrite(path, 0) },
		"another version": func(path string) error { return execute(path, `PRAGMA user_version = 99`) },
		"another's":       func(path string) error { return execute(path, `DROP TABLE events; CREATE TABLE mine (a)`) },
		"words lost":      func(path string) error { return execute(path, `DELETE FROM words_data WHERE id > 10`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, path := newMemory(noon), filepath.Join(t.TempDir(), "index.db")
			var all []uint64
			for i := range 300 {
				all = append([]uint64{m.put(t, caption("door", fmt.Sprintf("a caption with the number %d", i), i))}, all...)
			}
			x, err := index.Open(path, m, index.Options{Every: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			end := run(t, x)
			holds(t, x, all...)
			end()
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			x = open(t, path, m)
			run(t, x)
			holds(t, x, all...)
			until(t, "its words are found", func() bool {
				page, err := x.Search(t.Context(), api.Query{Words: "number 271"})
				return err == nil && len(page.Found) == 1 && page.Found[0].Seq == 272
			})
		})
	}
}

// overwrite spoils every page from the nth on.
func overwrite(path string, page int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, 2)
	for at := page * 4096; at < size && err == nil; at += 4096 {
		_, err = f.WriteAt(bytes.Repeat([]byte{0x5a}, 512), at)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func execute(path, statement string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	if _, err := db.Exec(statement); err != nil {
		return err
	}
	return db.Close()
}

// TestKilled: a process that is killed at any moment leaves an index that goes on.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "index.db")
	for round := range 12 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), "CAPTIOND_TEST_INDEX="+path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // something is in the index
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(round*7)*time.Millisecond, func() { _ = c.Process.Kill() })
		_ = c.Wait() // it was killed
		timer.Stop()
	}
	m := childStream()
	x, err := index.Open(path, m, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	first := seqs(t, x, api.Query{Limit: 500})
	if len(first) == 0 {
		t.Error("the children left nothing")
	}
	end := run(t, x)
	defer end()
	until(t, "the index has caught up", func() bool {
		got := seqs(t, x, api.Query{Limit: 1})
		return len(got) == 1 && got[0] == childRecords
	})
	n, q := 0, api.Query{Words: "child", Limit: 500}
	for page := (api.Page{Next: "n999999"}); page.Next != ""; n += len(page.Found) {
		q.Cursor = page.Next
		if page, err = x.Search(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if n != childRecords {
		t.Errorf("%d found, want %d", n, childRecords)
	}
	if err := execute(path, `PRAGMA quick_check; INSERT INTO words (words, rank) VALUES ('integrity-check', 1)`); err != nil {
		t.Error(err)
	}
}

const childRecords = 4000

func childStream() *memory {
	m := newMemory(noon)
	for i := range childRecords {
		m.put(&testing.B{}, caption("door", fmt.Sprintf("child %d", i), i))
	}
	return m
}

// indexUntilKilled is the child of TestKilled.
func indexUntilKilled(path string) {
	m := childStream()
	x, err := index.Open(path, m, index.Options{Every: time.Millisecond})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go x.Run(context.Background())
	for {
		if page, err := x.Search(context.Background(), api.Query{Limit: 1}); err == nil && len(page.Found) > 0 {
			break
		}
	}
	fmt.Print("x")
	select {} // until it is killed
}

// TestFollowsAServer: the index is that of a real stream.
func TestFollowsAServer(t *testing.T) {
	t.Parallel()
	s, err := nats.Start(nats.ServerOptions{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	c, err := nats.Dial(nats.Options{Server: s})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	x := open(t, filepath.Join(t.TempDir(), "index.db"), c)
	end := run(t, x) // before there is a stream
	defer end()
	for i, source := range []string{"door", "job-1", "door", "job-1", "door"} {
		e := caption(source, "a word", i)
		sinks.Seal(e)
		if err := c.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, x, 5, 4, 3, 2, 1)
	for _, subject := range sinks.Subjects("captiond", "job-1") {
		if err := c.Purge(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, x, 5, 3, 1)
	x.Rebuild()
	holds(t, x, 5, 3, 1)
}
