package http

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
)

// Finder finds what was said; *index.Index is one. Its errors are *api.Error as far as the
// query is to blame.
type Finder interface {
	Search(ctx context.Context, q api.Query) (api.Page, error)
}

type findCaptions struct {
	Q      string    `query:"q" doc:"words that the text, or the question, must hold: all of them; \"a phrase\" and the beginn* of a word too; left out, everything is found"`
	Source []string  `query:"source,explode" doc:"only of this camera, or of job- and the id of a video; may be repeated"`
	From   time.Time `query:"from" doc:"only what is about this time or later (RFC 3339; where a source has no clock, the time it was said)"`
	To     time.Time `query:"to" doc:"only what is about a time before this one"`
	Order  string    `query:"order" enum:"newest,best" default:"newest" doc:"what was said last comes first, or what fits the words best"`
	Limit  int       `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"of a page"`
	Cursor string    `query:"cursor" doc:"next of the page before; the rest of the query must be the same"`
}

type foundReply struct {
	Body struct {
		Captions []found `json:"captions"`
		Next     string  `json:"next,omitempty" doc:"the cursor of the page after, if there is one"`
	}
}

// Search is an entry of Options.More: GET /v1/captions.
func Search(f Finder, sees Sees) func(huma.API) {
	return func(a huma.API) {
		Register(a, huma.Operation{
			OperationID: "find-captions", Method: http.MethodGet, Path: "/v1/captions", Tags: []string{"captions"},
			Summary: "Captions and answers of all sources, by words and time",
		}, func(ctx context.Context, in *findCaptions) (*foundReply, error) {
			page, err := f.Search(ctx, in.query(sees.of(CallerOf(ctx))))
			if err != nil {
				return nil, err
			}
			return newFoundReply(page), nil
		})
	}
}

func (in *findCaptions) query(sees func(string) bool) api.Query {
	return api.Query{Words: in.Q, Sources: in.Source, From: in.From, To: in.To,
		ByRank: in.Order == "best", Limit: in.Limit, Cursor: in.Cursor, Sees: sees}
}

func newFoundReply(p api.Page) *foundReply {
	out := &foundReply{}
	out.Body.Captions, out.Body.Next = []found{}, p.Next // [] where there are none
	for _, f := range p.Found {
		out.Body.Captions = append(out.Body.Captions, found(f))
	}
	return out
}

// found is an event as it was published, with its snippet where there is one.
type found api.Found

// MarshalJSON implements json.Marshaler.
func (f found) MarshalJSON() ([]byte, error) {
	event := bytes.TrimSpace(f.Event)
	if f.Snippet == "" || !bytes.HasSuffix(event, []byte("}")) {
		return event, nil
	}
	var b bytes.Buffer
	b.Write(event[:len(event)-1])
	b.WriteString(`,"snippet":`)
	text := json.NewEncoder(&b)
	text.SetEscapeHTML(false) // like the event
	if err := text.Encode(f.Snippet); err != nil {
		return nil, err
	}
	b.WriteString("}")
	return b.Bytes(), nil
}

// Schema implements huma.SchemaProvider.
func (found) Schema(huma.Registry) *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: doc} }
	return &huma.Schema{
		Type: huma.TypeObject, Description: "an event captiond.caption.v1 or captiond.answer.v1, as it was published, with a snippet",
		AdditionalProperties: true, Required: []string{"schema", "id", "source", "text"},
		Properties: map[string]*huma.Schema{
			"schema": text("captiond.caption.v1 or captiond.answer.v1"), "id": text("the event's own"), "source": text("a camera, or job- and the id of a video"),
			"question": text("of an answer"), "text": text("the caption, or the answer"),
			"snippet": text("of the text or question, plain text, with what was looked for in [brackets]"),
		},
	}
}
