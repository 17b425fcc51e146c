package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/jsonl"
	"github.com/captiond/captiond/sinks/subtitles"
)

// A format is a form of output: its name is the value of -o.
type format struct {
	name, extension string
	sink            func(io.Writer) sinks.Sink
	one             bool   // a document of its own for each input
	heading         string // before each of several inputs on one stream, %s being its name
}

// heading comes before each of several inputs, %s being its name.
const heading = "==> %s <==\n"

// formats are the forms of output, the default first.
func formats() []format {
	return []format{
		{"text", ".txt", func(w io.Writer) sinks.Sink { return subtitles.NewText(w) }, false, heading},
		{"jsonl", ".jsonl", func(w io.Writer) sinks.Sink { return jsonl.New(w) }, false, ""},
		{"vtt", ".vtt", func(w io.Writer) sinks.Sink { return subtitles.NewVTT(w) }, true, ""},
		{"srt", ".srt", func(w io.Writer) sinks.Sink { return subtitles.NewSRT(w) }, true, ""},
	}
}

func findFormat(name string) (format, error) {
	var names []string
	for _, f := range formats() {
		if f.name == name {
			return f, nil
		}
		names = append(names, f.name)
	}
	return format{}, usageError{fmt.Errorf("unknown output %q: use one of %s", name, strings.Join(names, ", "))}
}

// An output is where results go: one stream for all inputs, or a file for each in dir.
type output struct {
	format format
	stream io.Writer
	dir    string
	force  bool // write files that are there already
	many   bool // inputs
}

// check refuses what cannot be written.
func (o output) check(inputs []string) error {
	if o.dir == "" {
		if o.format.one && len(inputs) > 1 {
			return usageError{fmt.Errorf("%s of %d inputs would be one document: give --out-dir, or one input", o.format.name, len(inputs))}
		}
		return nil
	}
	if slices.Contains(inputs, "-") {
		return usageError{errors.New("standard input has no name for a file in --out-dir: leave --out-dir out")}
	}
	byFile := map[string]string{}
	for _, in := range inputs {
		file := o.file(in)
		if other, taken := byFile[file]; taken && other != in {
			return usageError{fmt.Errorf("%s and %s would both be written to %s: caption them into two folders", other, in, file)}
		}
		byFile[file] = in
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return fmt.Errorf("create --out-dir: %w", err)
	}
	return nil
}

// file is the result's file for an input.
func (o output) file(input string) string {
	name := filepath.Base(input)
	return filepath.Join(o.dir, strings.TrimSuffix(name, filepath.Ext(name))+o.format.extension)
}

// done says that the input's result is there already.
func (o output) done(input string) bool {
	if o.dir == "" || o.force {
		return false
	}
	info, err := os.Stat(o.file(input))
	return err == nil && info.Mode().IsRegular()
}

// A result is what is being written for one input.
type result struct {
	sinks.Sink
	file   *os.File // its partial file, nil on the stream
	path   string
	events int
}

// open begins the result of an input.
func (o output) open(input string) (*result, error) {
	if o.dir == "" {
		r := &result{Sink: o.format.sink(o.stream)}
		if o.many && o.format.heading != "" {
			if _, err := fmt.Fprintf(o.stream, o.format.heading, title(input)); err != nil {
				return nil, undeliveredError{fmt.Errorf("write result: %w", err)}
			}
		}
		return r, nil
	}
	path := o.file(input)
	f, err := os.Create(path + ".partial")
	if err != nil {
		return nil, fmt.Errorf("create result: %w", err)
	}
	return &result{Sink: o.format.sink(f), file: f, path: path}, nil
}

// Publish writes an event.
func (r *result) Publish(ctx context.Context, e sinks.Event) error {
	r.events++
	return r.Sink.Publish(ctx, e)
}

// finish ends the result of an input that was read to its end or failed with cause, and
// returns all that went wrong. Only a result that will never be more complete gets its
// name: one that was interrupted is left under ".partial" and made anew the next time, one
// without a word is removed.
func (r *result) finish(ctx context.Context, cause error) error {
	closing := r.Close(context.WithoutCancel(ctx))
	if r.file != nil {
		closing = errors.Join(closing, r.file.Sync(), r.file.Close())
	}
	if isUndelivered(cause) {
		return cause // what could not be written cannot be ended either
	}
	err := errors.Join(cause, closing)
	switch {
	case r.file == nil || closing != nil || ctx.Err() != nil:
		return err
	case cause != nil && r.events == 0:
		return errors.Join(err, os.Remove(r.file.Name()))
	}
	if renaming := os.Rename(r.file.Name(), r.path); renaming != nil {
		return errors.Join(err, fmt.Errorf("name result: %w", renaming))
	}
	return err
}
