package index

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/captiond/captiond/api"
)

// Search finds a page of q. Errors about q, and a file that is being made anew, are
// *api.Error. Newest first, pages neither repeat nor miss what the index held when the
// first was asked for; by rank they may, while it grows.
func (x *Index) Search(ctx context.Context, q api.Query) (api.Page, error) {
	s, err := plan(q)
	if err != nil || s == nil {
		return api.Page{Found: []api.Found{}}, err
	}
	page, err := x.find(ctx, s)
	if damaged(err) {
		x.Rebuild()
		return api.Page{}, api.Later(503, retry, "the search index was damaged and is made anew: try again in a moment")
	}
	if err != nil {
		return api.Page{}, fmt.Errorf("search: %w", err)
	}
	return page, nil
}

// search is a query that has been looked at.
type search struct {
	api.Query
	match string // as FTS5 takes it; empty for all
	place place
}

// place is where a page begins: below a number, or by rank behind so many rows of those
// below a number.
type place struct {
	rank  bool
	below int64
	skip  int
}

// plan is nil for words that nothing can hold.
func plan(q api.Query) (*search, error) {
	if err := check(q); err != nil {
		return nil, err
	}
	words, err := match(q.Words)
	if err != nil || q.Words != "" && words == "" {
		return nil, err
	}
	s := &search{q, words, place{q.ByRank && words != "", math.MaxInt64, 0}}
	if s.Limit == 0 {
		s.Limit = api.DefaultFound
	}
	if q.Cursor != "" {
		s.place, err = readCursor(q.Cursor, s.place.rank)
	}
	return s, err
}

func check(q api.Query) error {
	switch {
	case q.Limit < 0 || q.Limit > api.MaxFound:
		return api.Errorf(422, "limit must be 1 to %d", api.MaxFound)
	case !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From):
		return api.Errorf(422, "from is after to: exchange them")
	}
	return nil
}

// statement is the SQL of s. What is searched by words is led by the words, since they
// leave the least.
func (s *search) statement() (string, []any) {
	tables, lead, snippet := `events CROSS JOIN words ON words.rowid = events.seq`, `events.seq`, `''`
	var where []string
	var args []any
	and := func(clause string, more ...any) { where, args = append(where, clause), append(args, more...) }
	if s.match != "" {
		tables, lead = `words CROSS JOIN events ON events.seq = words.rowid`, `words.rowid`
		snippet = `snippet(words, -1, '[', ']', '…', 24)`
		and(`words MATCH ?`, s.match)
	}
	and(lead+` < ?`, s.place.below)
	if !s.From.IsZero() {
		and(`(events.ends > ? OR events.begins >= ?)`, ceil(s.From), ceil(s.From))
	}
	if !s.To.IsZero() {
		and(`events.begins < ?`, ceil(s.To))
	}
	if len(s.Sources) > 0 {
		and(`events.source IN (SELECT value FROM json_each(?))`, list(s.Sources))
	}
	order := lead + ` DESC`
	if s.place.rank {
		order = `rank`
	}
	return `SELECT events.seq, events.source, words.event, ` + snippet + ` FROM ` + tables +
		` WHERE ` + strings.Join(where, ` AND `) + ` ORDER BY ` + order + ` LIMIT -1 OFFSET ` + strconv.Itoa(s.place.skip), args
}

// ceil is t in milliseconds, as events count time.
func ceil(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

func list(sources []string) string {
	b, _ := json.Marshal(sources) // strings always can be
	return string(b)
}

// find reads rows until the page is full, and one more to know whether there is a next.
func (x *Index) find(ctx context.Context, s *search) (page api.Page, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if s.place.rank && s.Cursor == "" { // what comes later must not move the pages
		if err := x.db.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) + 1 FROM events`).Scan(&s.place.below); err != nil {
			return api.Page{}, err
		}
	}
	query, args := s.statement()
	rows, err := x.db.QueryContext(ctx, query, args...)
	if err != nil {
		return api.Page{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return s.page(rows)
}

func (s *search) page(rows *sql.Rows) (api.Page, error) {
	page, n := api.Page{Found: []api.Found{}}, s.place.skip
	for ; rows.Next(); n++ {
		var f api.Found
		var source, event string
		if err := rows.Scan(&f.Seq, &source, &event, &f.Snippet); err != nil {
			return api.Page{}, err
		}
		if s.Sees != nil && !s.Sees(source) {
			continue
		}
		if len(page.Found) == s.Limit {
			page.Next = s.cursor(page, n)
			break
		}
		f.Event = json.RawMessage(event)
		page.Found = append(page.Found, f)
	}
	return page, rows.Err()
}

// cursor leads to what follows the page, whose last row is one of the first n.
func (s *search) cursor(p api.Page, n int) string {
	if s.place.rank {
		return fmt.Sprintf("r%d.%d", s.place.below, n)
	}
	return fmt.Sprintf("n%d", p.Found[len(p.Found)-1].Seq)
}

// readCursor reads what cursor wrote.
func readCursor(c string, rank bool) (place, error) {
	m := regexp.MustCompile(`^(?:n([0-9]{1,18})|r([0-9]{1,18})\.([0-9]{1,9}))$`).FindStringSubmatch(c)
	if m == nil || rank == (m[1] != "") {
		return place{}, api.Errorf(422, "cursor is not one of this search: give next of the page before, and the rest of the search unchanged")
	}
	below, _ := strconv.ParseInt(m[1]+m[2], 10, 64) // the digits are counted
	skip, _ := strconv.Atoi(m[3])                   // none is 0
	return place{rank, below, skip}, nil
}
