package main

import (
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/configs"
)

// set gives a setting the value that a client gave, if any.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// setText is set for the kinds of text of a configuration.
func setText[T ~string](to *T, from *string) {
	if from != nil {
		*to = T(*from)
	}
}

// setSeconds is set for durations. What is beyond a year is as good as a year, which is refused.
func setSeconds(to *time.Duration, from *float64) {
	const year = 365 * 24 * 3600
	if from != nil {
		*to = time.Duration(min(max(*from, -year), year) * float64(time.Second)).Round(time.Millisecond)
	}
}

// cameraConfig is a client's camera as the configuration has it, and what cannot be written that
// way.
func cameraConfig(n api.NamedCamera) (c configs.Camera, problems []string) {
	c = configs.DefaultCamera()
	c.Name = n.Name
	setText(&c.URL, n.URL)
	set(&c.Username, n.Username)
	setText(&c.Password, n.Password)
	set(&c.Transport, n.Transport)
	set(&c.View, n.View)
	set(&c.Caption, n.Caption)
	set(&c.Answer, n.Answer)
	set(&c.Enabled, n.Enabled)
	setSeconds(&c.Window, n.Window)
	c.Every = configs.DefaultEvery(c.Window)
	setSeconds(&c.Every, n.Every)
	setSeconds(&c.Unchanged, n.Unchanged)
	if n.TLS != nil {
		set(&c.TLS.Verify, n.TLS.Verify)
		set(&c.TLS.Fingerprint, n.TLS.Fingerprint)
	}
	if n.Gate != nil {
		set(&c.Gate.Enabled, n.Gate.Enabled)
		set(&c.Gate.Threshold, n.Gate.Threshold)
	}
	if n.Questions != nil {
		for _, q := range *n.Questions {
			c.Questions = append(c.Questions, configs.Question(q))
		}
	}
	if n.Masks != nil {
		for _, m := range *n.Masks {
			if len(m) != 4 {
				return c, []string{"masks: must be lists of [x, y, w, h] in parts of the picture"}
			}
			c.Masks = append(c.Masks, configs.Mask{X: m[0], Y: m[1], W: m[2], H: m[3]})
		}
	}
	return c, nil
}

// cameraSpec is a camera of the configuration as clients see it, with its credentials.
func cameraSpec(c configs.Camera) api.CameraSpec {
	masks, questions := make([][]float64, 0, len(c.Masks)), make([]api.CameraQuestion, 0, len(c.Questions))
	for _, m := range c.Masks {
		masks = append(masks, []float64{m.X, m.Y, m.W, m.H})
	}
	for _, q := range c.Questions {
		questions = append(questions, api.CameraQuestion(q))
	}
	return api.CameraSpec{
		URL: new(c.URL.Reveal()), Username: &c.Username, Password: new(c.Password.Reveal()), Transport: &c.Transport,
		TLS:    &api.CameraTLS{Verify: &c.TLS.Verify, Fingerprint: &c.TLS.Fingerprint},
		Window: new(c.Window.Seconds()), Every: new(c.Every.Seconds()), View: &c.View, Masks: &masks, Questions: &questions,
		Gate:      &api.CameraGate{Enabled: &c.Gate.Enabled, Threshold: &c.Gate.Threshold},
		Unchanged: new(c.Unchanged.Seconds()), Caption: &c.Caption, Answer: &c.Answer, Enabled: &c.Enabled,
	}
}
