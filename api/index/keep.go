package index

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/captiond/captiond/sinks"
)

// keeper keeps the index equal to the stream during one reading of it.
type keeper struct {
	x     *Index
	last  uint64       // read so far
	known sinks.Extent // what the stream held when the index was last made equal to it
}

// keep looks at the stream, and removes from the index what the stream holds no more.
func (k *keeper) keep(ctx context.Context) error {
	now, err := k.x.stream.Extent(ctx)
	if err != nil {
		return err
	}
	var created, last int64
	if err := k.x.row(ctx, `SELECT created, last FROM place`, &created, &last); err != nil {
		return err
	}
	is := int64(0)
	if !now.Created.IsZero() {
		is = now.Created.UnixNano()
	}
	k.last = max(k.last, uint64(last))
	if created != 0 && created != is || k.last > now.Last {
		return errAnew
	}
	var removed []uint64
	if now.Removed > 0 && (now.First != k.known.First || now.Removed != k.known.Removed) {
		if removed, err = k.x.stream.Removed(ctx); err != nil {
			return err
		}
	}
	gone := append(runs(removed), run{0, max(now.First, 1) - 1})
	if err := k.x.write(ctx, func(tx *sql.Tx) error { return prune(ctx, tx, is, gone) }); err != nil {
		return err
	}
	k.known = now
	return nil
}

func (x *Index) row(ctx context.Context, query string, into ...any) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.db.QueryRowContext(ctx, query).Scan(into...)
}

// prune removes what the stream, known by when it was created, holds no more.
func prune(ctx context.Context, tx *sql.Tx, created int64, gone []run) error {
	if _, err := tx.ExecContext(ctx, `UPDATE place SET created = ?`, created); err != nil {
		return err
	}
	for _, r := range gone {
		for _, table := range []string{`DELETE FROM words WHERE rowid BETWEEN ? AND ?`, `DELETE FROM events WHERE seq BETWEEN ? AND ?`} {
			if _, err := tx.ExecContext(ctx, table, int64(r.first), int64(r.last)); err != nil {
				return err
			}
		}
	}
	return nil
}

// run is numbers without a hole.
type run struct{ first, last uint64 }

// runs are those of numbers that rise.
func runs(numbers []uint64) (rs []run) {
	for _, n := range numbers {
		if len(rs) > 0 && rs[len(rs)-1].last+1 == n {
			rs[len(rs)-1].last = n
			continue
		}
		rs = append(rs, run{n, n})
	}
	return rs
}

// take adds records to the index. Numbers that do not rise are those of a stream that was
// made anew.
func (k *keeper) take(ctx context.Context, rs []sinks.Record) error {
	var found []entry
	for _, r := range rs {
		if r.Seq <= k.last {
			return errAnew
		}
		k.last = r.Seq
		if e, ok := entryOf(r); ok {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return nil // the place is written with the next that has something to find
	}
	return k.x.write(ctx, func(tx *sql.Tx) error { return add(ctx, tx, found, k.last) })
}

func add(ctx context.Context, tx *sql.Tx, found []entry, last uint64) error {
	row, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	words, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO words (rowid, text, question, event) VALUES (?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	for _, e := range found {
		if _, err := row.ExecContext(ctx, int64(e.seq), e.source, e.begins.UnixMilli(), e.ends.UnixMilli()); err != nil {
			return err
		}
		if _, err := words.ExecContext(ctx, int64(e.seq), e.text, e.question, e.event); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE place SET last = ?`, int64(last))
	return err
}

// entry is what the index holds of a caption or an answer.
type entry struct {
	seq            uint64
	source         string
	begins, ends   time.Time // where its clock knows none, when it was stored
	text, question string
	event          string // its JSON on one line
}

func entryOf(r sinks.Record) (entry, bool) {
	e := entry{seq: r.Seq, begins: r.Stored, ends: r.Stored}
	var span sinks.Span
	switch v := r.Event.(type) {
	case *sinks.Caption:
		e.text, span = v.Text, v.Span
	case *sinks.Answer:
		e.text, e.question, span = v.Text, v.Question, v.Span
	default:
		return entry{}, false
	}
	e.source = r.Event.Head().Source
	if !span.StartTime.IsZero() {
		e.begins, e.ends = span.StartTime.Time, span.StartTime.Time
		if span.EndTime.After(e.begins) {
			e.ends = span.EndTime.Time
		}
	}
	var line bytes.Buffer
	if err := json.Compact(&line, r.Data); err != nil {
		return entry{}, false
	}
	e.event = line.String()
	return e, true
}
