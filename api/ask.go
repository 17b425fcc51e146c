package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/captiond/captiond/sinks"
)

// Subject is what is asked about: one of an upload, a camera and a file.
type Subject struct {
	Video  string   // the id of an upload
	Camera string   // the name of a camera
	File   *os.File // open for reading, at any offset; the caller closes it
	Title  string   // of File: the name that the client gave
}

// Stretch is the part of a subject that is meant. The zero value is all of a clip.
type Stretch struct {
	From *Moment       `json:"from,omitempty" doc:"where the stretch begins: seconds on the source's timeline, or for a camera a time of day (RFC 3339)"`
	To   *Moment       `json:"to,omitempty" doc:"where it ends, likewise"`
	Last sinks.Seconds `json:"last,omitempty" doc:"of a camera: so many seconds up to now, in place of from and to"`
}

// Search is how a text is searched for. The zero value is the daemon's own way.
type Search struct {
	Model     string `json:"model,omitempty" doc:"the name of a checkpoint that this daemon has; default: the configured one"`
	Beam      int    `json:"beam,omitempty" doc:"beams of the search, 1 to 64; 1 is greedy"`
	BeamStyle string `json:"beam_style,omitempty" enum:"microsoft,hf" doc:"whose beam search"`
	MaxTokens int    `json:"max_tokens,omitempty" doc:"most tokens of a text, prompt included"`
	View      string `json:"view,omitempty" doc:"part of the picture: crop, squash, or x,y,w,h in parts of the picture"`
}

// Ask is a list of questions about one stretch.
type Ask struct {
	Questions []string `json:"questions" doc:"1 to 100 questions"`
	Stretch
	Search
}

// Classify asks which of the labels a stretch shows.
type Classify struct {
	Labels []string `json:"labels" doc:"the texts of which one is true, each once"`
	Prompt string   `json:"prompt,omitempty" doc:"a question that the labels answer"`
	Top    int      `json:"top,omitempty" doc:"how many of the likeliest are wanted; default 5"`
	Stretch
	Search
}

// Moment is a place in a source's time. Its JSON is a number of seconds, or a string in RFC
// 3339.
type Moment struct {
	Offset sinks.Seconds // on the source's timeline, where Time is zero
	Time   time.Time     // of day
}

// MarshalJSON implements json.Marshaler.
func (m Moment) MarshalJSON() ([]byte, error) {
	if m.Time.IsZero() {
		return json.Marshal(m.Offset)
	}
	return json.Marshal(m.Time)
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Moment) UnmarshalJSON(b []byte) error {
	*m = Moment{}
	if bytes.HasPrefix(b, []byte(`"`)) {
		if err := json.Unmarshal(b, &m.Time); err != nil {
			return fmt.Errorf("read moment: %w", err)
		}
		return nil
	}
	return json.Unmarshal(b, &m.Offset)
}
