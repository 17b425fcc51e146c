package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
)

// oracle is a parrot that knows how likely labels are.
type oracle struct {
	parrot
	scores []model.Score
	asked  string
}

func (*oracle) Labels(names []string) (*model.Labels, error) {
	if len(names) == 0 {
		return nil, errors.New("there are none")
	}
	return new(model.Labels), nil
}

func (o *oracle) Classify(_ context.Context, _ *model.Prefix, prompt string, _ *model.Labels) ([]model.Score, error) {
	o.asked = prompt
	return o.scores, o.fail
}

func TestClassify(t *testing.T) {
	t.Parallel()
	o := &oracle{scores: []model.Score{
		{Label: "red", LogProb: -0.12345678, Probability: 0.9},
		{Label: "blue", LogProb: math.Log(0.0883), Probability: 0.09},
		{Label: "green", LogProb: -80, Probability: 0.01},
	}}
	j, events := job(&o.parrot, 1)
	j.Captioner = o
	c, err := j.Choice([]string{"blue", "green", "red"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Top != 5 {
		t.Errorf("%d labels are wanted by default", c.Top)
	}
	c.Prompt, c.Top = "what color?", 2
	s, err := j.See(t.Context(), Footage{Picture: image.NewRGBA(image.Rect(0, 0, 1, 1))}, frames.Window{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := j.Classify(t.Context(), s, time.Now(), c)
	if err != nil {
		t.Fatal(err)
	}
	r.LatencyMS = 7
	got, err := json.Marshal(r)
	const want = `{"schema":"captiond.classes.v1","source":"file-0123456789ab","title":"clip.mp4","prompt":"what color?",` +
		`"classes":[{"label":"red","probability":0.9,"log_prob":-0.123457},{"label":"blue","probability":0.09,"log_prob":-2.427015}],` +
		`"labels":3,"start":0,"end":0,"frames":[0],"clock":"none","model":"parrot@000000000000","latency_ms":7}`
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
	if o.asked != "what color?" || len(*events) != 0 {
		t.Errorf("%q was asked, %d events were emitted", o.asked, len(*events))
	}
	c.Top = 0
	if _, err := j.Classify(t.Context(), s, time.Now(), c); err == nil || !strings.Contains(err.Error(), "no label is asked for") {
		t.Errorf("top 0: %v", err)
	}
	c.Top, o.fail = 9, errors.New("no memory")
	if _, err := j.Classify(t.Context(), s, time.Now(), c); !errors.Is(err, o.fail) {
		t.Errorf("a failing model: %v", err)
	}
}

func TestChoiceRefuses(t *testing.T) {
	t.Parallel()
	o := Voice{Captioner: new(oracle), Name: "oracle"}
	for want, c := range map[string]struct {
		voice  Voice
		labels []string
	}{
		"parrot cannot classify": {Voice{Captioner: new(parrot), Name: "parrot"}, []string{"red"}},
		"there are none":         {o, nil},
		"100001 labels of":       {o, make([]string, MaxLabels+1)},
		"at most 100000 of":      {o, []string{strings.Repeat("x", MaxLabelBytes), "y"}},
	} {
		if _, err := c.voice.Choice(c.labels); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}
