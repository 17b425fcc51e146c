// Package index finds captions and answers by words and time. The index is an SQLite file
// (FTS5) that follows the stream of events and holds nothing else: what the stream lets go
// of goes, and a file that is damaged, of another version or of another stream is made anew
// from what the stream holds.
//
// One process uses a file. Run writes; everything else may be called by several goroutines
// at once, before, while and after Run runs.
package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/captiond/captiond/sinks"
)

// Stream is where events are kept; sinks/nats.Client is one. Only Run uses it.
type Stream interface {
	// Read yields records in order, each once, until ctx ends, and waits for what is to
	// come. It goes on after an error.
	Read(ctx context.Context, from sinks.From, subjects ...string) iter.Seq2[sinks.Record, error]
	// Extent is what the stream holds now.
	Extent(ctx context.Context) (sinks.Extent, error)
	// Removed is the numbers between its first and its last that it holds no more.
	Removed(ctx context.Context) ([]uint64, error)
}

// Options of an index. Zero values stand for what each line says.
type Options struct {
	Every  time.Duration // how often it looks what the stream has let go of: a minute
	Logger *slog.Logger  // none
}

// Index is an open index.
type Index struct {
	path   string
	stream Stream
	every  time.Duration
	log    *slog.Logger
	anew   chan struct{} // asks Run to make the file anew

	mu sync.RWMutex // held for writing while the file is replaced
	db *sql.DB
}

// Open opens the index at path, whose folder must be there, or makes an empty one where
// there is none that can be used. Close it.
func Open(path string, s Stream, o Options) (*Index, error) {
	x := &Index{path: path, stream: s, every: o.Every, log: o.Logger, anew: make(chan struct{}, 1)}
	if x.every == 0 {
		x.every = time.Minute
	}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	db, err := open(path)
	if unusable(err) {
		x.log.Warn("search index cannot be used: making it anew", "err", err)
		db, err = remake(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open search index %s: %w", path, err)
	}
	x.db = db
	return x, nil
}

// Close gives the file back. Run must have returned.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.db.Close(); err != nil {
		return fmt.Errorf("close search index: %w", err)
	}
	return nil
}

// Rebuild asks Run to make the index anew from the stream. Searches find the more the
// further it has come.
func (x *Index) Rebuild() {
	select {
	case x.anew <- struct{}{}:
	default: // it is asked already
	}
}

// Forget removes what is held of a source. It is for a source that was purged from the
// stream: Run would notice within Options.Every.
func (x *Index) Forget(ctx context.Context, source string) error {
	err := x.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM words WHERE rowid IN (SELECT seq FROM events WHERE source = ?)`, source)
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM events WHERE source = ?`, source)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("remove %s from the search index: %w", source, err)
	}
	return nil
}

// write runs f in a transaction.
func (x *Index) write(ctx context.Context, f func(*sql.Tx) error) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// errVersion is a file of another version of captiond.
var errVersion = errors.New("it is of another version")

// unusable says whether a file that was to be opened must be made anew. An error in our own
// SQL is a table that is missing, or not ours.
func unusable(err error) bool {
	return errors.Is(err, errVersion) || damaged(err) || code(err) == sqlite3.SQLITE_ERROR
}

// damaged says whether err means that the file is.
func damaged(err error) bool {
	c := code(err)
	return errors.Is(err, errDamaged) || c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}

// code is the primary code of an error of SQLite's, else 0.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}
