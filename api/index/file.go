package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// version of the schema. Any other is made anew.
const version = 1

// schema: place is how far the index has come in which stream; events has the row of each
// caption and answer under its number in the stream, with the milliseconds in Unix time that
// it is about; words has its texts and, not indexed, its JSON, under the same number.
const schema = `
CREATE TABLE place (one INTEGER PRIMARY KEY CHECK (one = 1), created INTEGER NOT NULL, last INTEGER NOT NULL);
INSERT INTO place VALUES (1, 0, 0);
CREATE TABLE events (seq INTEGER PRIMARY KEY, source TEXT NOT NULL, begins INTEGER NOT NULL, ends INTEGER NOT NULL);
CREATE INDEX events_source ON events (source, seq);
CREATE VIRTUAL TABLE words USING fts5 (text, question, event UNINDEXED, tokenize = 'porter unicode61');
PRAGMA user_version = 1;`

// errDamaged is a file whose parts do not fit together.
var errDamaged = errors.New("it is damaged")

// open opens what is there, or an empty index where there is nothing.
func open(path string) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite's own would be readable by all
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := connect(path)
	if err != nil {
		return nil, err
	}
	if err := prepare(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func connect(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	o := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)"}}
	u := url.URL{Scheme: "file", Path: path, RawQuery: o.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4) // one writes, the others search
	return db, nil
}

// prepare makes the tables of a new file, and looks at those of an old one.
func prepare(db *sql.DB) error {
	var v, tables int
	if err := db.QueryRow(`PRAGMA user_version`).Scan(&v); err != nil {
		return err
	}
	if err := db.QueryRow(`SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return err
	}
	if v == 0 && tables == 0 {
		return create(db)
	}
	if v != version {
		return fmt.Errorf("%w: %d, not %d", errVersion, v, version)
	}
	rows, err := db.Query(`SELECT last, created, seq, source, begins, ends, text, question, event FROM place, events, words LIMIT 0`)
	if err != nil {
		return err
	}
	return errors.Join(rows.Err(), rows.Close())
}

func create(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(schema); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// remake puts an empty index in place of whatever is there.
func remake(path string) (*sql.DB, error) {
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.RemoveAll(path + suffix); err != nil {
			return nil, err
		}
	}
	return open(path)
}

// remake replaces the file. Nothing else uses it meanwhile.
func (x *Index) remake() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	_ = x.db.Close() // it is thrown away
	db, err := remake(x.path)
	if err != nil {
		return fmt.Errorf("make search index %s anew: %w", x.path, err)
	}
	x.db = db
	return nil
}

// verify reads the whole file, and the words of every text. It does so over a connection of
// its own: one that was used before may remember what another has changed since, and FTS5
// would take that for damage.
func (x *Index) verify(ctx context.Context) (err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	db, err := connect(x.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, said)
	}
	_, err = db.ExecContext(ctx, `INSERT INTO words (words) VALUES ('integrity-check')`)
	return err
}
