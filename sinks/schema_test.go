package sinks_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	invopop "github.com/invopop/jsonschema"
	santhosh "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/captiond/captiond/sinks"
)

var update = flag.Bool("update", false, "write the JSON Schemas of the Go types")

// generate makes a kind's schema from its Go type. More properties stay allowed, since
// v1 gains fields.
func generate(t *testing.T, e sinks.Event) []byte {
	t.Helper()
	r := invopop.Reflector{Anonymous: true, ExpandedStruct: true, AllowAdditionalProperties: true, Mapper: mapped}
	s := r.ReflectFromType(reflect.TypeOf(e).Elem())
	name, _ := s.Properties.Get("schema")
	name.Const = "captiond." + string(e.Kind()) + ".v1"
	id, _ := s.Properties.Get("id")
	id.Pattern = "^[0-9a-f]{32}$"
	source, _ := s.Properties.Get("source")
	source.Pattern = "^[A-Za-z0-9_-]{1,64}$"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func mapped(t reflect.Type) *invopop.Schema {
	switch t {
	case reflect.TypeFor[sinks.Seconds]():
		return &invopop.Schema{Type: "number", Description: "seconds, with millisecond precision"}
	case reflect.TypeFor[sinks.Probability]():
		return &invopop.Schema{Type: "number", Minimum: "0", Maximum: "1"}
	case reflect.TypeFor[sinks.Time]():
		return &invopop.Schema{Type: "string", Format: "date-time", Description: "RFC 3339, UTC, milliseconds"}
	case reflect.TypeFor[sinks.Clock]():
		return words("rtcp", "arrival", "container", "none")
	case reflect.TypeFor[sinks.GapReason]():
		return words("disconnected", "stalled", "overload", "outbox", "decode")
	case reflect.TypeFor[sinks.ResetReason]():
		return words("reconnect", "jump", "clock")
	case reflect.TypeFor[sinks.State]():
		return words("connecting", "live", "stalled", "refused", "wrong-password", "no-video", "stopped")
	case reflect.TypeFor[sinks.JobState]():
		return words("queued", "running", "done", "failed", "cancelled")
	}
	return nil
}

func words(w ...any) *invopop.Schema { return &invopop.Schema{Type: "string", Enum: w} }

func TestSchemasAreThoseOfTheTypes(t *testing.T) {
	for _, e := range samples() {
		want := generate(t, e)
		file := filepath.Join("schemas", string(e.Kind())+".json")
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := sinks.Schema(e.Kind())
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the type gives (%v); run go test ./sinks -run Schemas -update", file, err)
		}
	}
}

func compiled(t *testing.T, k sinks.Kind) *santhosh.Schema {
	t.Helper()
	b, err := sinks.Schema(k)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := santhosh.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := santhosh.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("event.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("event.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func check(t *testing.T, k sinks.Kind, b []byte) error {
	t.Helper()
	doc, err := santhosh.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return compiled(t, k).Validate(doc)
}

func TestEventsFollowTheirSchema(t *testing.T) {
	for _, e := range samples() {
		b, err := sinks.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(t, e.Kind(), b); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}

func TestSchemaOfTheDesignsExample(t *testing.T) {
	if err := check(t, sinks.KindCaption, []byte(designExample)); err != nil {
		t.Error(err)
	}
	bad := bytes.Replace([]byte(designExample), []byte(`"confidence":0.8312`), []byte(`"confidence":8312`), 1)
	if check(t, sinks.KindCaption, bad) == nil {
		t.Error("a confidence of 8312 is valid")
	}
	if check(t, sinks.KindAnswer, []byte(designExample)) == nil {
		t.Error("a caption is a valid answer")
	}
}
