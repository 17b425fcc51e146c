package micro

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compile makes a schema that judges.
func compile(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fields are the names of a type's JSON, those of what is embedded among them.
func fields(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			names = append(names, fields(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// The schema has the fields of the type, and takes what the type takes.
func TestSchemas(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]any{"ask": askRequest{}, "caption": captionRequest{}} {
		schemas, err := schemasOf(name)
		if err != nil {
			t.Fatal(err)
		}
		compile(t, schemas["reply"])
		request := compile(t, schemas["request"])
		var properties []string
		for p := range request.Properties {
			properties = append(properties, p)
		}
		if slices.Sort(properties); !slices.Equal(properties, fields(reflect.TypeOf(of))) {
			t.Errorf("%s: the schema has %v, the type %v", name, properties, fields(reflect.TypeOf(of)))
		}
	}
	for text, right := range map[string]bool{
		`{"source":"door","questions":["who?"],"last":60}`:                                                 true,
		`{"video":"0123","questions":["who?"],"from":1.5,"to":4,"beam":4,"beam_style":"hf","view":"crop"}`: true,
		`{"source":"door","questions":["who?"],"from":"2026-11-23T12:00:00Z"}`:                             true,
		`{"media":"aGFsbG8=","questions":["who?"],"max_tokens":20,"model":"vqa"}`:                          true,
		`{"object":"clip.mp4","questions":["who?"]}`:                                                       true,
		`{"source":"door","question":"who?"}`:                                                              false,
		`{"source":"door","questions":"who?"}`:                                                             false,
		`{"source":"door","questions":["who?"],"beam":"4"}`:                                                false,
		`{"source":"door","questions":["who?"],"from":true}`:                                               false,
		`[]`: false,
	} {
		schemas, err := schemasOf("ask")
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		judged := compile(t, schemas["request"]).Validate(v)
		if read := decode([]byte(text), new(askRequest)); (judged == nil) != right || (read == nil) != right {
			t.Errorf("%s: by the schema %v, by us %v", text, judged, read)
		}
	}
	if _, err := schemasOf("nothing"); err == nil {
		t.Error("there is a schema of nothing")
	}
}
