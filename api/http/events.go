package http

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/feed"
	"github.com/captiond/captiond/sinks"
)

// stuckTime is how long a client may take to read one event when all buffers are full.
const stuckTime = 5 * time.Second

// Feed is where events come from; *feed.Feed is one, and says what Follow does.
type Feed interface {
	Follow(ctx context.Context, caller string, w feed.Want, take func(feed.Item) bool) error
}

// Sees says whether a caller may see what is of a source, "job-" and an id for a video. It is
// asked for every event and every client, and must be quick. Nil is for everything.
type Sees func(c api.Caller, source string) bool

func (s Sees) of(c api.Caller) func(source string) bool {
	if s == nil {
		return nil
	}
	return func(source string) bool { return s(c, source) }
}

const eventsDescription = `Server-sent events: the id is the event's number in the stream, the event's name its kind, and the data its JSON on one line.

A client that comes again with Last-Event-ID (browsers do so by themselves) gets what it missed, as far as the stream still holds it, and then what comes. Whoever does not keep up loses the oldest: the event "gap" without an id, whose data has from_seq, to_seq and lost, says what is missing ("gap" with an id and a schema is a camera's own). Come again with the number before from_seq to get it. After three gaps, or when nothing is read for five seconds, the connection is closed. A comment comes every 15 seconds where nothing else does.`

// Events is an entry of Options.More: GET /v1/events.
func Events(f Feed, sees Sees) func(huma.API) {
	query := func(name, doc string, s *huma.Schema) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: s}
	}
	text, number := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeInteger}
	kind := &huma.Schema{Type: huma.TypeString}
	for _, k := range sinks.Kinds() {
		kind.Enum = append(kind.Enum, string(k))
	}
	op := huma.Operation{
		OperationID: "follow-events", Method: http.MethodGet, Path: "/v1/events", Tags: []string{"captions"},
		Summary: "Captions, answers and all other events, as they come", Description: eventsDescription,
		Parameters: []*huma.Param{
			query("source", "only of this camera, or of job- and the id of a video; may be repeated", &huma.Schema{Type: huma.TypeArray, Items: text}),
			query("kind", "only of this kind; may be repeated", &huma.Schema{Type: huma.TypeArray, Items: kind}),
			query("last_event_id", "as the header Last-Event-ID, for clients that cannot send it", number),
			{Name: "Last-Event-ID", In: "header", Description: "the id of the last event that the client has; 0 for all that is held", Schema: number},
		},
		Metadata:  map[string]any{endless: true},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: text}}}},
	}
	return func(a huma.API) { Mount(a, op, eventsHandler{f, sees}) }
}

type eventsHandler struct {
	feed Feed
	sees Sees
}

// ServeHTTP implements http.Handler.
func (h eventsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want, err := wanted(r)
	if err != nil {
		WriteProblem(w, r, err)
		return
	}
	want.Sees = h.sees.of(CallerOf(r.Context()))
	out := &eventStream{w: w, control: http.NewResponseController(w)}
	ctx, stop := untilEnd(r.Context())
	defer stop()
	// Once something was sent, the end of the stream says all: a client comes again.
	if err := h.feed.Follow(ctx, bucketOf(r), want, out.send); err != nil && !out.begun {
		WriteProblem(w, r, err)
	}
}

// wanted is what a request asks for.
func wanted(r *http.Request) (feed.Want, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return feed.Want{}, api.Errorf(http.StatusUnprocessableEntity, "the query cannot be read: write it like ?source=front-door&kind=caption")
	}
	w := feed.Want{Sources: query["source"]}
	for _, k := range query["kind"] {
		w.Kinds = append(w.Kinds, sinks.Kind(k))
	}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = query.Get("last_event_id")
	}
	if w.Resume = last != ""; w.Resume {
		if w.After, err = strconv.ParseUint(last, 10, 63); err != nil {
			return feed.Want{}, api.Errorf(http.StatusUnprocessableEntity, "Last-Event-ID must be the id of an event, or 0 for all that is held")
		}
	}
	return w, nil
}

// eventStream is an answer of server-sent events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

// send writes an item, and says whether the client took it.
func (s *eventStream) send(i feed.Item) bool {
	if err := s.control.SetWriteDeadline(time.Now().Add(stuckTime)); err != nil {
		return false
	}
	if !s.begun {
		s.begin()
	}
	if _, err := s.w.Write(eventText(i)); err != nil {
		return false
	}
	return s.control.Flush() == nil
}

func (s *eventStream) begin() {
	s.begun = true
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // or nginx keeps it to itself
	s.w.WriteHeader(http.StatusOK)
}

// eventText is an item as the HTML standard has it. Data is on one line, and a kind holds no
// line end.
func eventText(i feed.Item) []byte {
	switch {
	case i.Gap != nil:
		b, _ := json.Marshal(i.Gap) // three numbers always can be
		return fmt.Appendf(nil, "event: gap\ndata: %s\n\n", b)
	case i.Seq == 0:
		return []byte(": nothing new\n\n")
	}
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", i.Seq, i.Kind, i.Data)
}
