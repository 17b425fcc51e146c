package http_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// openapi.yaml is a snapshot of what is served: CAPTIOND_UPDATE=1 writes it anew.
func TestOpenAPI(t *testing.T) {
	_, doc := routes(t)
	served, err := doc.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("CAPTIOND_UPDATE") != "" {
		if err := os.WriteFile("openapi.yaml", served, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(served, committed) {
		t.Error("openapi.yaml is not what is served: if that is meant, run CAPTIOND_UPDATE=1 go test ./api/http -run TestOpenAPI")
	}
}

func TestOpenAPIServed(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	var fromJSON, fromYAML map[string]any
	if err := json.Unmarshal([]byte(s.do(t, "GET", "/openapi.json", nil).body), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(s.do(t, "GET", "/openapi.yaml", nil).body), &fromYAML); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]map[string]any{"json": fromJSON, "yaml": fromYAML} {
		if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1") {
			t.Errorf("%s is version %v", name, doc["openapi"])
		}
		paths, _ := doc["paths"].(map[string]any)
		for _, path := range []string{"/v1/videos", "/v1/videos/{id}/questions", "/v1/uploads/{id}", "/v1/classify"} {
			if paths[path] == nil {
				t.Errorf("%s has no %s", name, path)
			}
		}
	}
}

// Answers may gain fields, since v1 does; what clients send is held to its description.
func TestGrowingAnswers(t *testing.T) {
	t.Parallel()
	_, doc := routes(t)
	types := doc.Components.Schemas.Map()
	for name, closed := range map[string]bool{"Caption": false, "Answer": false, "Video": false, "CaptionsReplyBody": false, "Ask": true, "AskBody": true, "Address": true} {
		if s := types[name]; s == nil || (s.AdditionalProperties == false) != closed {
			t.Errorf("%s: %+v, want closed %t", name, s, closed)
		}
	}
}

// Every operation has a name of its own, a summary, and says what it needs.
func TestOperations(t *testing.T) {
	t.Parallel()
	all, _ := routes(t)
	names := make(map[string]bool)
	for _, op := range all {
		if op.Hidden {
			continue
		}
		if op.OperationID == "" || names[op.OperationID] || op.Summary == "" || len(op.Tags) == 0 || len(op.Security) == 0 {
			t.Errorf("%s %s: id %q, summary %q, tags %q, security %v", op.Method, op.Path, op.OperationID, op.Summary, op.Tags, op.Security)
		}
		names[op.OperationID] = true
	}
}
