package micro

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/sinks"
)

// Headers of requests.
const (
	questionHeader = "Captiond-Question" // a question; it may come many times
	optionsHeader  = "Captiond-Options"  // the request's JSON, where the body is a picture or clip
	timeoutHeader  = "Captiond-Timeout"  // how long the client waits, such as 30s
)

// maxTimeout is the longest that a client may wait.
const maxTimeout = 10 * time.Minute

// message is a request as it came.
type message struct {
	reply  string
	header nats.Header
	data   []byte
}

// timeout is how long the client waits.
func (m message) timeout(otherwise time.Duration) (time.Duration, error) {
	text := m.header.Get(timeoutHeader)
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxTimeout {
		return 0, api.Errorf(400, "%s is %.40q: give a time up to %v with its unit, such as 30s", timeoutHeader, text, maxTimeout)
	}
	return d, nil
}

// target names what is asked about: one of its fields.
type target struct {
	Source string `json:"source,omitempty"` // name of a camera, or job-<id> of an upload
	Video  string `json:"video,omitempty"`  // id of an upload
	Media  []byte `json:"media,omitempty"`  // a picture or clip, in base64
	Object string `json:"object,omitempty"` // name of one in the object store
}

// askRequest is what captiond.ask takes.
type askRequest struct {
	target
	api.Ask
}

// captionRequest is what captiond.caption takes.
type captionRequest struct {
	target
	api.Search
}

// answers is what captiond.ask replies.
type answers struct {
	Answers []*sinks.Answer `json:"answers"`
}

// captions is what captiond.caption replies.
type captions struct {
	Captions []*sinks.Caption `json:"captions"`
}

// whoever may publish a request may ask about everything: see the package.
func caller() api.Caller { return api.Caller{Admin: true} }

func (d *door) ask(ctx context.Context, m message) (any, error) {
	var r askRequest
	media, err := m.read(&r)
	if err != nil {
		return nil, err
	}
	r.Questions = append(r.Questions, m.header.Values(questionHeader)...)
	s, done, err := d.subject(ctx, r.target, media)
	if err != nil {
		return nil, err
	}
	defer done()
	found, err := d.Asker.Ask(ctx, caller(), s, r.Ask)
	return answers{found}, err
}

func (d *door) caption(ctx context.Context, m message) (any, error) {
	var r captionRequest
	media, err := m.read(&r)
	if err != nil {
		return nil, err
	}
	s, done, err := d.subject(ctx, r.target, media)
	if err != nil {
		return nil, err
	}
	defer done()
	found, err := d.Asker.Caption(ctx, caller(), s, r.Search)
	return captions{found}, err
}

// read reads a request in either form. Media is the body where that is a picture or clip, else
// nil.
func (m message) read(into any) (media []byte, err error) {
	kind := m.header.Get("Content-Type")
	name, _, err := mime.ParseMediaType(kind)
	switch {
	case kind == "" || err == nil && name == "application/json":
		return nil, decode(m.data, into)
	case err == nil && (strings.HasPrefix(name, "image/") || strings.HasPrefix(name, "video/") || name == "application/octet-stream"):
		if options := m.header.Get(optionsHeader); options != "" {
			err = decode([]byte(options), into)
		}
		return append([]byte{}, m.data...), err
	}
	return nil, api.Errorf(415, "Content-Type is %.80q: send application/json, or a picture or clip as image/* or video/*", kind)
}

// decode reads JSON that has no fields but ours.
func decode(b []byte, into any) error {
	if len(bytes.TrimSpace(b)) == 0 {
		return api.Errorf(400, `the request is empty: send JSON such as {"source": "front-door", "questions": ["what happens?"]}`)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("something follows the JSON")
	}
	return api.Errorf(400, "the request cannot be read: %s", cut(strings.TrimPrefix(err.Error(), "json: "), 200))
}

// cut is the beginning of a text, on one line.
func cut(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		return fmt.Sprintf("%s…", string(r[:most]))
	}
	return text
}
