package sinks

// Cut says that the picture changed at Start.
type Cut struct {
	Header
	Start Seconds `json:"start"`
}

// GapReason says why a stretch of a source was not seen.
type GapReason string

// The reasons of a gap.
const (
	GapDisconnected GapReason = "disconnected"
	GapStalled      GapReason = "stalled"
	GapOverload     GapReason = "overload"
	GapOutbox       GapReason = "outbox"
	GapDecode       GapReason = "decode"
)

// Gap says that nothing is known of the source between Start and End.
type Gap struct {
	Header
	Start      Seconds   `json:"start"`
	End        Seconds   `json:"end"`
	Reason     GapReason `json:"reason"`
	FramesLost int64     `json:"frames_lost"`
}

// ResetReason says why a new epoch began.
type ResetReason string

// The reasons of a reset.
const (
	ResetReconnect ResetReason = "reconnect"
	ResetJump      ResetReason = "jump"
	ResetClock     ResetReason = "clock"
)

// Reset begins the epoch of its header; PreviousEpoch ended before it.
type Reset struct {
	Header
	Reason        ResetReason `json:"reason"`
	PreviousEpoch int64       `json:"previous_epoch"`
}

// Degraded says that a source is sampled more coarsely than asked, or again as asked.
type Degraded struct {
	Header
	Reason       string  `json:"reason"`
	StrideBefore Seconds `json:"stride_before"`
	StrideNow    Seconds `json:"stride_now"`
}

// Unchanged is the heartbeat while nothing new is said: Text has held since Since, and
// Count windows said so.
type Unchanged struct {
	Header
	Since Seconds `json:"since"`
	Count int64   `json:"count"`
	Text  string  `json:"text"`
}

// State is the condition of a source.
type State string

// The states of a source.
const (
	StateConnecting    State = "connecting"
	StateLive          State = "live"
	StateStalled       State = "stalled"
	StateRefused       State = "refused"
	StateWrongPassword State = "wrong-password"
	StateNoVideo       State = "no-video"
	StateStopped       State = "stopped"
)

// Status says in what condition a source is now.
type Status struct {
	Header
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// JobState is how far a file job has come.
type JobState string

// The states of a job.
const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// Job says how far a file job has come. Attempt counts from 1; Progress is 0 to 1.
type Job struct {
	Header
	State    JobState    `json:"state"`
	Attempt  int64       `json:"attempt,omitempty"`
	Progress Probability `json:"progress"`
	Detail   string      `json:"detail,omitempty"`
}

// Kind implements Event.
func (*Cut) Kind() Kind { return KindCut }

// Kind implements Event.
func (*Gap) Kind() Kind { return KindGap }

// Kind implements Event.
func (*Reset) Kind() Kind { return KindReset }

// Kind implements Event.
func (*Degraded) Kind() Kind { return KindDegraded }

// Kind implements Event.
func (*Unchanged) Kind() Kind { return KindUnchanged }

// Kind implements Event.
func (*Status) Kind() Kind { return KindStatus }

// Kind implements Event.
func (*Job) Kind() Kind { return KindJob }
