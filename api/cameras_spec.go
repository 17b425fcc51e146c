package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/captiond/captiond/sinks"
)

// CameraSpec is what a client asks of a camera. What is left out is as it was, or, of a new
// camera, as the configuration file has it where it is left out there.
type CameraSpec struct {
	URL       *string           `json:"url,omitempty" doc:"rtsp:// or rtsps://, without user and password"`
	Username  *string           `json:"username,omitempty" writeOnly:"true" doc:"is taken and not given out"`
	Password  *string           `json:"password,omitempty" writeOnly:"true" doc:"is taken and not given out; it must be given again where the address comes to lead to another host"`
	Transport *string           `json:"transport,omitempty" doc:"tcp, or udp: tcp where nothing comes by it"`
	TLS       *CameraTLS        `json:"tls,omitempty" doc:"how the certificate of an rtsps:// camera is judged"`
	Window    *float64          `json:"window,omitempty" doc:"length of a window in seconds, 1 to 600; 6 for a new camera"`
	Every     *float64          `json:"every,omitempty" doc:"from one window to the next in seconds, 0.1 to the length of a window; a sixth of it for a new camera"`
	View      *string           `json:"view,omitempty" doc:"part of the picture: crop, squash, or x,y,w,h in parts of the picture"`
	Masks     *[][]float64      `json:"masks,omitempty" doc:"rectangles [x, y, w, h] in parts of the picture, from its upper left corner, that nobody is to see"`
	Questions *[]CameraQuestion `json:"questions,omitempty" doc:"what is asked about every window"`
	Gate      *CameraGate       `json:"gate,omitempty" doc:"keeps still pictures from the model"`
	Unchanged *float64          `json:"unchanged,omitempty" doc:"seconds between heartbeats while nothing new is said, 1 at least; 60 for a new camera"`
	Caption   *string           `json:"caption,omitempty" doc:"the name of a checkpoint that this daemon has; empty: the configured one"`
	Answer    *string           `json:"answer,omitempty" doc:"likewise, for questions"`
	Enabled   *bool             `json:"enabled,omitempty" doc:"false: it is kept and not watched"`
}

// CameraTLS says how a certificate is judged.
type CameraTLS struct {
	Verify      *bool   `json:"verify,omitempty" doc:"as browsers do; ignored with a fingerprint"`
	Fingerprint *string `json:"fingerprint,omitempty" doc:"SHA-256 of the one certificate that is right, in hex"`
}

// CameraQuestion is a standing question.
type CameraQuestion struct {
	Name string `json:"name" doc:"of its answers: 1 to 64 letters, digits, _ or -"`
	Text string `json:"text"`
}

// CameraGate keeps still pictures from the model.
type CameraGate struct {
	Enabled   *bool    `json:"enabled,omitempty"`
	Threshold *float64 `json:"threshold,omitempty" doc:"part of the picture that must change, 0 to 1"`
}

// NamedCamera is a camera that was added over the API, with its credentials.
type NamedCamera struct {
	Name string `json:"name" doc:"the source of its events: 1 to 64 letters, digits, _ or -"`
	CameraSpec
}

// Camera is how a camera stands. Its Username and Password are nil.
type Camera struct {
	Name        string `json:"name"`
	Configured  bool   `json:"configured" doc:"it stands in the daemon's configuration file, which alone changes it"`
	UsernameSet bool   `json:"username_set"`
	PasswordSet bool   `json:"password_set"`
	CameraSpec
	CameraState
}

// CameraState is what a camera does.
type CameraState struct {
	State        sinks.State `json:"state" doc:"connecting, live, stalled, refused, wrong-password, no-video or stopped"`
	Detail       string      `json:"detail,omitempty" doc:"what is wrong"`
	LastFrame    *time.Time  `json:"last_frame" doc:"when a frame was decoded last; null before the first"`
	LastFrameAge *float64    `json:"last_frame_age_seconds"`
	Epoch        int64       `json:"epoch,omitempty" doc:"the stretch of continuous time, as events state it"`
	Clock        sinks.Clock `json:"clock,omitempty" doc:"where the times of events come from: rtcp or arrival"`
	ClockErrorMS int64       `json:"clock_error_ms,omitempty"`
	Codec        string      `json:"codec,omitempty" doc:"h264, h265 or mjpeg"`
	Stride       float64     `json:"stride_seconds" doc:"from one window to the next as it is now: longer than every where the machine does not keep up"`
	Frames       int64       `json:"frames" doc:"that were decoded"`
	EncoderRuns  int64       `json:"encoder_runs" doc:"frames that a model has looked at"`
	Captions     int64       `json:"captions" doc:"that are safe"`
	Reconnects   int64       `json:"reconnects"`
	Gaps         int64       `json:"gaps"`
	Dropped      CameraDrops `json:"dropped"`
}

// CameraDrops are what was lost, counted.
type CameraDrops struct {
	Packets int64 `json:"packets" doc:"lost on the way"`
	Units   int64 `json:"units" doc:"because the decoder was busy"`
	Frames  int64 `json:"frames" doc:"damaged"`
	Samples int64 `json:"samples" doc:"frames to be looked at, because the model was busy"`
	Windows int64 `json:"windows" doc:"likewise"`
	Events  int64 `json:"events" doc:"that could not be made safe"`
}

// merge is a camera with the fields that a change gives.
func merge(before, change CameraSpec) (CameraSpec, error) {
	var after CameraSpec
	for _, s := range []CameraSpec{before, change} {
		b, err := json.Marshal(s)
		if err == nil {
			err = json.Unmarshal(b, &after)
		}
		if err != nil {
			return CameraSpec{}, fmt.Errorf("merge camera: %w", err)
		}
	}
	if change.Masks != nil {
		after.Masks = change.Masks
	}
	if change.Questions != nil {
		after.Questions = change.Questions
	}
	if moved(before, after) && change.Password == nil && value(before.Password) != "" {
		return CameraSpec{}, Errorf(422, `url: it leads to another host than before: give the password again, so that it goes nowhere unasked ("" for none)`)
	}
	return after, nil
}

// moved says whether a camera's credentials would go elsewhere, or in another way.
func moved(before, after CameraSpec) bool {
	a, errA := url.Parse(value(before.URL))
	b, errB := url.Parse(value(after.URL))
	return errA != nil || errB != nil || !strings.EqualFold(a.Scheme+"://"+a.Host, b.Scheme+"://"+b.Host)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// shown is a camera as clients see it: its credentials are not among that.
func (c Camera) shown() Camera {
	c.UsernameSet, c.PasswordSet = value(c.Username) != "", value(c.Password) != ""
	c.Detail = c.hide(c.Detail)
	c.URL = shownURL(c.URL)
	c.Username, c.Password = nil, nil
	return c
}

// hide takes the password out of a text.
func (s CameraSpec) hide(text string) string {
	password := value(s.Password)
	if password == "" {
		return text
	}
	return strings.NewReplacer(password, "xxxxx", url.QueryEscape(password), "xxxxx", url.PathEscape(password), "xxxxx").Replace(text)
}

// shownURL hides what some cameras want in their addresses, such as ?user=u&password=p or
// /user=u_password=p_channel=1.sdp, and what stands before an @.
func shownURL(address *string) *string {
	if address == nil {
		return nil
	}
	text := regexp.MustCompile(`//[^/?#]*@`).ReplaceAllString(*address, "//")
	text = regexp.MustCompile(`(?i)((?:user|usr|login|pass|pwd|psw|token|secret|auth|key)[a-z]*=)[^&/;_?#]*`).ReplaceAllString(text, "${1}xxxxx")
	return &text
}
