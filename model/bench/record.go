package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/captiond/captiond/model/bench/peers"
)

// Record is a race as it is kept: one JSON object on one line.
type Record struct {
	Reports []Report     `json:"reports"` // float32 first
	Lines   []Line       `json:"lines"`
	Peers   *peers.About `json:"peers,omitempty"` // nil where they did not take part
	Check   *peers.Check `json:"check,omitempty"` // of the peers' numbers
}

// Append adds the record to a file, which it makes, with its folder, where there is none.
func (r Record) Append(path string) (err error) {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record results: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("record results: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("record results: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(append(line, '\n'))
	return err
}

// Document puts a table between the two marks that a Markdown file has for the shape:
//
//	<!-- bench:begin SHAPE -->
//	<!-- bench:end SHAPE -->
func Document(path, shape, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("document results: %w", err)
	}
	begin, end := fmt.Appendf(nil, "<!-- bench:begin %s -->\n", shape), fmt.Appendf(nil, "<!-- bench:end %s -->\n", shape)
	before, rest, found := bytes.Cut(text, begin)
	_, after, ends := bytes.Cut(rest, end)
	if !found || !ends {
		return fmt.Errorf("document results: %s has no lines %q and %q", path, begin, end)
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, begin, []byte(table), end, after}, nil), 0o644)
}
