package main

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/sinks"
)

// A question about what a camera showed a while ago is answered from what is remembered: no
// frame is read or encoded for it. The camera is gone by then.
func TestAskCamera(t *testing.T) {
	t.Parallel()
	ffmpeg.Quiet()
	c, err := camera.Start(camera.Options{Scenes: scenes(71)})
	if err != nil {
		t.Fatal(err)
	}
	playing, stop := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- c.Run(playing) }()
	p := startProcess(t, t.TempDir(), configFile(t, shapesCamera("door", c.URL(), "")))
	var about *sinks.Caption
	p.receive(t, sinks.From{}, func(e sinks.Event) bool {
		if said, ok := e.(*sinks.Caption); ok && said.End-said.Start == sinks.SecondsOf(demoWindow) {
			if _, one := c.Truth(said.StartTime.Time, said.EndTime.Time); one {
				about = said
			}
		}
		return about != nil && e.Kind() == sinks.KindCaption && e.(*sinks.Caption).Start > about.End
	})
	truth, _ := c.Truth(about.StartTime.Time, about.EndTime.Time)
	stop()
	if err := <-gone; err != nil {
		t.Error(err)
	}
	var questions []string
	for _, q := range truth.Questions {
		questions = append(questions, q.Text)
	}
	before := p.encodedAll(t)
	ask := func(stretch map[string]any) []*sinks.Answer {
		stretch["questions"] = questions
		var got struct{ Answers []*sinks.Answer }
		p.post(t, "/v1/cameras/door/questions", http.StatusOK, stretch, &got)
		return got.Answers
	}
	right := 0
	for i, a := range ask(map[string]any{"from": about.StartTime.Format(time.RFC3339Nano), "to": about.EndTime.Format(time.RFC3339Nano)}) {
		if a.Text == truth.Questions[i].Answer {
			right++
		}
		if a.StartTime.IsZero() || a.Source != "door" || a.Start < about.Start-500 || a.End > about.End+500 {
			t.Errorf("an answer about %v to %v is of %+v", about.Start, about.End, a.Span)
		}
	}
	if right < len(questions) {
		t.Errorf("%d of %d answers are right: %q is true", right, len(questions), truth.Caption)
	}
	if last := ask(map[string]any{"last": 60}); len(last) != len(questions) {
		t.Errorf("%d answers about the last minute", len(last))
	}
	if after := p.encoded(t); after != before {
		t.Errorf("%d frames were encoded for the questions", after-before)
	}
	p.post(t, "/v1/cameras/door/questions", http.StatusConflict, map[string]any{"questions": questions, "from": "2020-01-01T00:00:00Z", "to": "2020-01-01T00:01:00Z"}, nil)
	p.post(t, "/v1/cameras/none/questions", http.StatusNotFound, map[string]any{"questions": questions}, nil)
	p.stop(t)
}

// encoded is how often the encoder has run for the camera.
func (p *process) encoded(t *testing.T) int {
	t.Helper()
	m := regexp.MustCompile(`captiond_encoder_runs_total{source="door"} (\d+)`).FindStringSubmatch(p.get(t, "/metrics"))
	if m == nil {
		t.Fatal("no encoder runs are told")
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// encodedAll waits until what a camera has sent is encoded.
func (p *process) encodedAll(t *testing.T) int {
	t.Helper()
	for n := p.encoded(t); ; {
		<-time.After(time.Second)
		now := p.encoded(t)
		if now == n {
			return n
		}
		n = now
	}
}
