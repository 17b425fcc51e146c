package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
)

// A labelFile is a list of labels, one on each line.
type labelFile struct {
	name  string
	texts []string
	lines []int // of each text, from 1
}

// readLabels reads the file at path, - for standard input.
func readLabels(path string, stdin io.Reader) (labelFile, error) {
	if path == "-" {
		return parseLabels("standard input", stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return labelFile{}, fmt.Errorf("read labels: %w", err)
	}
	defer f.Close()
	return parseLabels(path, f)
}

// parseLabels takes UTF-8, with or without a byte order mark, and line ends of either kind.
// Lines that are blank or begin with # are no labels. All that is wrong is reported at once.
func parseLabels(name string, r io.Reader) (labelFile, error) {
	l := labelFile{name: name}
	data, err := io.ReadAll(io.LimitReader(r, pipeline.MaxLabelBytes+1))
	switch {
	case err != nil:
		return l, fmt.Errorf("read labels: %w", err)
	case len(data) > pipeline.MaxLabelBytes:
		return l, fmt.Errorf("%s: more than %d MiB is no list of labels", name, pipeline.MaxLabelBytes>>20)
	}
	var wrong []error
	first := map[string]int{}
	line := 0
	for text := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		line++
		label := strings.TrimSpace(string(text))
		switch {
		case label == "" || label[0] == '#':
		case !utf8.ValidString(label):
			wrong = append(wrong, errors.New(l.at(line, "is not UTF-8: save the file as UTF-8")))
		case first[label] > 0:
			wrong = append(wrong, errors.New(l.at(line, fmt.Sprintf("%.80q is on line %d already", label, first[label]))))
		default:
			first[label] = line
			l.texts, l.lines = append(l.texts, label), append(l.lines, line)
		}
	}
	switch {
	case len(wrong) > 0:
		return l, few(wrong)
	case len(l.texts) == 0:
		return l, fmt.Errorf("%s: there are no labels: write one on each line", name)
	case len(l.texts) > pipeline.MaxLabels:
		return l, errors.New(l.at(l.lines[pipeline.MaxLabels], fmt.Sprintf("is one label too many: at most %d", pipeline.MaxLabels)))
	}
	return l, nil
}

// choice prepares the labels for a voice's model. Its objections to labels say the lines.
func (l labelFile) choice(v pipeline.Voice) (*pipeline.Choice, error) {
	c, err := v.Choice(l.texts)
	var objections model.LabelErrors
	if !errors.As(err, &objections) {
		return c, err
	}
	var wrong []error
	for _, o := range objections {
		if o.Twin >= 0 {
			o.Reason = fmt.Sprintf("%.80q is the same to the model as %.80q on line %d", l.texts[o.Index], l.texts[o.Twin], l.lines[o.Twin])
		}
		wrong = append(wrong, errors.New(l.at(l.lines[o.Index], o.Reason)))
	}
	return nil, few(wrong)
}

// at is what is wrong with a line.
func (l labelFile) at(line int, what string) string {
	return fmt.Sprintf("%s:%d: %s", l.name, line, what)
}

// few are the first of many errors.
func few(errs []error) error {
	const most = 10
	if more := len(errs) - most; more > 0 {
		errs = append(errs[:most:most], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}
