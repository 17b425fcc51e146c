package sinks

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// Seal fills in the schema and the id of e, which must be complete but for them. It is
// the last thing done to an event before it is published.
//
// The id is the first 16 bytes, in hex, of the SHA-256 over a list of fields, each
// written as a netstring: its length in bytes in decimal, ':', the bytes, ','. Numbers
// are decimal integers. The fields of every kind begin with source, epoch, kind; then
//
//	caption, answer  name, question (empty for a caption), start and end in ms, the
//	                 number of frames, each frame's PTS in ms, model digest (what
//	                 follows the last '@' of the model), decoding settings
//	job              state, attempt, progress in ten-thousandths
//	all others       the running number
//
// What a machine's speed or a retry changes, such as the latency, is not in it.
func Seal(e Event) {
	h := e.Head()
	h.Schema = schemaName(e.Kind())
	d := digest{}
	d.text(h.Source)
	d.number(h.Epoch)
	d.text(string(e.Kind()))
	switch e := e.(type) {
	case *Caption:
		d.window("", "", &e.Span, &e.Speech)
	case *Answer:
		d.window(e.Name, e.Question, &e.Span, &e.Speech)
	case *Job:
		d.text(string(e.State))
		d.number(e.Attempt)
		d.number(int64(float64(e.Progress)*1e4 + 0.5))
	default:
		d.number(h.Seq)
	}
	h.ID = d.sum()
}

const schemaPrefix, schemaSuffix = "captiond.", ".v1"

func schemaName(k Kind) string { return schemaPrefix + string(k) + schemaSuffix }

// digest gathers netstrings.
type digest struct{ b []byte }

func (d *digest) text(s string) {
	d.b = strconv.AppendInt(d.b, int64(len(s)), 10)
	d.b = append(d.b, ':')
	d.b = append(d.b, s...)
	d.b = append(d.b, ',')
}

func (d *digest) number(n int64) { d.text(strconv.FormatInt(n, 10)) }

// window adds what a text depends on. A list without frames is sealed as an empty one,
// so that its JSON is [] and not null.
func (d *digest) window(name, question string, span *Span, speech *Speech) {
	d.text(name)
	d.text(question)
	d.number(int64(span.Start))
	d.number(int64(span.End))
	d.number(int64(len(span.Frames)))
	for _, f := range span.Frames {
		d.number(int64(f))
	}
	d.text(speech.Model[strings.LastIndexByte(speech.Model, '@')+1:])
	d.text(speech.Settings)
	if span.Frames == nil {
		span.Frames = []Seconds{}
	}
}

func (d *digest) sum() string {
	sum := sha256.Sum256(d.b)
	return hex.EncodeToString(sum[:16])
}
