package micro

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"

	"github.com/captiond/captiond/sinks"
)

//go:embed schemas/*.json
var schemas embed.FS

// schemasOf are the JSON Schemas of an endpoint's requests and replies, each on one line, as
// its metadata. A reply is a list of events.
func schemasOf(name string) (map[string]string, error) {
	request, err := schemas.ReadFile("schemas/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	kind, list := sinks.KindAnswer, "answers"
	if name == "caption" {
		kind, list = sinks.KindCaption, "captions"
	}
	event, err := sinks.Schema(kind)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	reply, err := json.Marshal(map[string]any{
		"type": "object", "required": []string{list},
		"properties": map[string]any{list: map[string]any{"type": "array", "items": json.RawMessage(event)}},
	})
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, request); err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return map[string]string{"request": line.String(), "reply": string(reply)}, nil
}
