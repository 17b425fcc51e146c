package sinks

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed schemas/*.json
var schemas embed.FS

// Kinds are the kinds of events in the order of DESIGN.
func Kinds() []Kind {
	return []Kind{KindCaption, KindAnswer, KindCut, KindGap, KindReset, KindDegraded,
		KindUnchanged, KindStatus, KindJob}
}

// Schema is the JSON Schema (draft 2020-12) of a kind's events.
func Schema(k Kind) ([]byte, error) {
	b, err := schemas.ReadFile("schemas/" + string(k) + ".json")
	if err != nil {
		return nil, &UnknownSchemaError{Schema: schemaName(k)}
	}
	return b, nil
}

// Encode is the JSON of a sealed event on one line, without a line end. '<', '>' and '&'
// stand as they are: the text is data, not HTML.
func Encode(e Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode %s of %s: %w", e.Kind(), e.Head().Source, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// UnknownSchemaError is returned for an event that this version does not know.
type UnknownSchemaError struct{ Schema string }

// Error implements error.
func (e *UnknownSchemaError) Error() string {
	return fmt.Sprintf("decode event: unknown schema %q; a newer captiond may have written it", e.Schema)
}

// Decode reads one event. Fields it does not know are left out, because a later v1 may
// have more; a schema it does not know is an *UnknownSchemaError.
func Decode(b []byte) (Event, error) {
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	e := blank(head.Schema)
	if e == nil {
		return nil, &UnknownSchemaError{Schema: head.Schema}
	}
	if err := json.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}

func blank(schema string) Event {
	kind, ok := strings.CutPrefix(schema, schemaPrefix)
	kind, found := strings.CutSuffix(kind, schemaSuffix)
	if !ok || !found {
		return nil
	}
	return blankOf(Kind(kind))
}

func blankOf(k Kind) Event {
	switch k {
	case KindCaption:
		return &Caption{}
	case KindAnswer:
		return &Answer{}
	case KindCut:
		return &Cut{}
	case KindGap:
		return &Gap{}
	case KindReset:
		return &Reset{}
	case KindDegraded:
		return &Degraded{}
	case KindUnchanged:
		return &Unchanged{}
	case KindStatus:
		return &Status{}
	case KindJob:
		return &Job{}
	}
	return nil
}
