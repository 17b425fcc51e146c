// Package sinks holds what captiond says: the events, their ids and JSON form, and the
// contract of whatever takes them away. It is pure Go; NATS, files and subtitles are in
// its sub-packages.
package sinks

// Kind names an event's schema: captiond.<kind>.v1.
type Kind string

// The kinds of events.
const (
	KindCaption   Kind = "caption"
	KindAnswer    Kind = "answer"
	KindCut       Kind = "cut"
	KindGap       Kind = "gap"
	KindReset     Kind = "reset"
	KindDegraded  Kind = "degraded"
	KindUnchanged Kind = "unchanged"
	KindStatus    Kind = "status"
	KindJob       Kind = "job"
)

// Event is one of the pointer types below: *Caption, *Answer, *Cut, *Gap, *Reset,
// *Degraded, *Unchanged, *Status, *Job.
type Event interface {
	Kind() Kind
	Head() *Header
}

// Header is what every event begins with. Seal fills Schema and ID.
type Header struct {
	Schema string `json:"schema"`
	ID     string `json:"id"`
	Source string `json:"source"`
	Title  string `json:"title,omitempty"` // a file's name
	Epoch  int64  `json:"epoch"`           // the start of continuous time in Unix milliseconds, 0 where unknown
	Seq    int64  `json:"seq"`             // running number within the source and epoch, from 0
}

// Head returns the header itself.
func (h *Header) Head() *Header { return h }

// Clock says where an event's wall-clock times come from.
type Clock string

// The clocks.
const (
	ClockRTCP      Clock = "rtcp"
	ClockArrival   Clock = "arrival"
	ClockContainer Clock = "container"
	ClockNone      Clock = "none"
)

// Span is the stretch of its source's timeline that a text is about.
type Span struct {
	Start        Seconds   `json:"start"`
	End          Seconds   `json:"end"`
	Frames       []Seconds `json:"frames"`              // PTS of the frames used, one for each instant looked at
	StartTime    Time      `json:"start_time,omitzero"` // absent where the clock is none
	EndTime      Time      `json:"end_time,omitzero"`
	Clock        Clock     `json:"clock"`
	ClockErrorMS int64     `json:"clock_error_ms,omitempty"`
}

// Speech is a generated text and how sure the model was of it.
type Speech struct {
	Text          string      `json:"text"`
	Confidence    Probability `json:"confidence"`     // mean probability of the tokens, end token included
	MinConfidence Probability `json:"min_confidence"` // the least of them
	Truncated     bool        `json:"truncated"`
	Model         string      `json:"model"` // name@digest
	LatencyMS     int64       `json:"latency_ms"`
	Settings      string      `json:"-"` // the decoding settings, part of the id
}

// Caption says what a window shows.
type Caption struct {
	Header
	Span
	Speech
}

// Answer is the answer to a question about a window. Name is a standing question's.
type Answer struct {
	Header
	Name     string `json:"name,omitempty"`
	Question string `json:"question"`
	Span
	Speech
}

// Kind implements Event.
func (*Caption) Kind() Kind { return KindCaption }

// Kind implements Event.
func (*Answer) Kind() Kind { return KindAnswer }
