package eval

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// maxLine bounds a line of dataset.jsonl in bytes.
const maxLine = 1 << 20

// A line of dataset.jsonl is one window: a stretch of a clip, all of it, or a picture. It
// asks for a caption, for an answer, or for both.
type line struct {
	File     string   `json:"file"` // within the folder, with slashes
	From     *float64 `json:"from"` // seconds
	To       *float64 `json:"to"`
	Captions []string `json:"captions"`
	Question string   `json:"question"`
	Answers  []string `json:"answers"`
	Groups   []string `json:"groups"`
}

// openFolder reads dataset.jsonl and returns all that is wrong with it in one error.
func openFolder(folder, split string) (*Dataset, error) {
	if split != "" {
		return nil, fmt.Errorf("open data set: a folder has no split %q", split)
	}
	name := filepath.Join(folder, "dataset.jsonl")
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open data set: %w", err)
	}
	defer f.Close()
	var all collector
	if err := readLines(f, folder, &all); err != nil {
		return nil, fmt.Errorf("read %s:\n%w", name, err)
	}
	return &Dataset{Form: Folder, Rule: ByVQA, Files: all.files}, nil
}

func readLines(r io.Reader, folder string, all *collector) error {
	var problems []error
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	n := 0
	for s.Scan() {
		n++
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		l, err := parseLine(s.Bytes())
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		for _, p := range l.problems() {
			problems = append(problems, fmt.Errorf("line %d: %s", n, p))
		}
		all.add(filepath.Join(folder, filepath.FromSlash(l.File)), seconds(l.From), seconds(l.To), l.items()...)
	}
	if err := s.Err(); err != nil {
		problems = append(problems, fmt.Errorf("line %d: %w", n+1, err))
	} else if len(all.files)+len(problems) == 0 {
		problems = append(problems, errors.New("there are no lines"))
	}
	return errors.Join(problems...)
}

func parseLine(text []byte) (l line, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err = d.Decode(&l); err != nil {
		return l, fmt.Errorf("no JSON object of a data set: %w", err)
	}
	if _, err = d.Token(); !errors.Is(err, io.EOF) {
		return l, errors.New("more than one JSON object")
	}
	return l, nil
}

// problems are all that is wrong with a line.
func (l line) problems() (ps []string) {
	complain := func(wrong bool, what string) {
		if wrong {
			ps = append(ps, what)
		}
	}
	complain(l.File == "", "file is missing")
	complain(l.File != "" && !filepath.IsLocal(filepath.FromSlash(l.File)), fmt.Sprintf("file %q is outside the folder", l.File))
	complain(l.From != nil && !isTime(*l.From), "from is no time in seconds")
	complain(l.To != nil && !(isTime(*l.To) && seconds(l.To) > seconds(l.From)), "to must be a time in seconds after from")
	complain(len(l.Captions) == 0 && l.Question == "", "neither captions nor a question")
	complain(l.Question != "" && len(l.Answers) == 0, "a question without answers")
	complain(l.Question == "" && len(l.Answers) > 0, "answers without a question")
	complain(slices.Contains(slices.Concat(l.Captions, l.Answers, l.Groups), ""), "an empty caption, answer or group")
	return ps
}

// isTime tells whether a clip can have such a time: a year is more than any lasts.
func isTime(s float64) bool { return s >= 0 && s < 366*24*60*60 }

func seconds(s *float64) time.Duration {
	if s == nil {
		return 0
	}
	return time.Duration(*s * float64(time.Second))
}

func (l line) items() (items []Item) {
	if len(l.Captions) > 0 {
		items = append(items, Item{References: l.Captions, Groups: l.Groups})
	}
	if l.Question != "" {
		items = append(items, Item{Question: l.Question, References: l.Answers, Groups: l.Groups})
	}
	return items
}
