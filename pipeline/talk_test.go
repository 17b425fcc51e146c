package pipeline

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

func questions(n int) (qs []string) {
	for i := range n {
		qs = append(qs, fmt.Sprintf("question %d?", i))
	}
	return qs
}

// Questions are answered side by side, as many as there is room for, in their order.
func TestQuestionsSideBySide(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		questions, beams int
		runs             []int
	}{
		{1, 0, []int{1}}, {5, 1, []int{5}}, {70, 1, []int{32, 32, 6}}, {20, 4, []int{8, 8, 4}}, {3, 64, []int{1, 1, 1}},
	} {
		p := new(parrot)
		j, events := job(p, 6)
		j.Request.Beams = tt.beams
		qs := questions(tt.questions)
		if err := j.Ask(t.Context(), Footage{Clip: steady(60, 10)}, frames.Window{End: 6 * time.Second}, qs); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.runs, tt.runs) {
			t.Errorf("%d questions with %d beams: runs of %v, want %v", tt.questions, tt.beams, p.runs, tt.runs)
		}
		for i, e := range *events {
			a := e.(*sinks.Answer)
			if a.Question != qs[i] || a.Text != "heard "+qs[i] || a.Seq != int64(i) {
				t.Errorf("answer %d is number %d, %q to %q", i, a.Seq, a.Text, a.Question)
			}
		}
		if len(*events) != len(qs) {
			t.Errorf("%d answers to %d questions", len(*events), len(qs))
		}
	}
}

// A question that fails is named, and those before it are answered.
func TestFailingQuestionIsNamed(t *testing.T) {
	t.Parallel()
	p := &parrot{cannot: "question 34?"}
	j, events := job(p, 6)
	err := j.Ask(t.Context(), Footage{Clip: steady(60, 10)}, frames.Window{End: 6 * time.Second}, questions(40))
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), `answer "question 34?"`) || len(*events) != 34 {
		t.Errorf("%d answers, then %v", len(*events), err)
	}
}

// Windows of a clip are captioned in groups, the first by itself, and the captions do not
// change by it.
func TestWindowsSideBySide(t *testing.T) {
	t.Parallel()
	caption := func(p *parrot, together int) []*sinks.Caption {
		j, events := job(p, 6)
		j.Together = together
		clip := steady(100, 10)
		if err := j.Caption(t.Context(), clip, frames.Every(frames.Window{End: clip.end}, time.Second)); err != nil {
			t.Fatal(err)
		}
		cs := captions(t, *events)
		for _, c := range cs {
			c.LatencyMS, c.Confidence, c.MinConfidence = 0, 0, 0
		}
		return cs
	}
	want := caption(new(parrot), 0)
	for _, tt := range []struct {
		together int
		alone    bool
		groups   []int
	}{
		{1, false, slices.Repeat([]int{1}, 10)},
		{2, false, []int{1, 2, 2, 2, 2, 1}},
		{4, false, []int{1, 4, 4, 1}},
		{4, true, slices.Repeat([]int{1}, 10)},
		{abreast + 1, false, []int{1, 9}},
	} {
		p := &parrot{alone: tt.alone}
		if got := caption(p, tt.together); !reflect.DeepEqual(got, want) || !slices.Equal(p.together, tt.groups) {
			t.Errorf("%d together: groups of %v, captions %v", tt.together, p.together, texts(got))
		}
	}
}

// Talks that would need too much room side by side are held some after others, and one that
// fails does so alone.
func TestDiscuss(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		prompts []int // of each talk
		begun   []int // side by side
		failing int   // the talk that does, -1 for none
	}{
		{[]int{1, 1, 1}, []int{3}, -1},
		{[]int{8, 1, 2, 3}, []int{4}, -1},
		{[]int{9, 1, 2, 3}, []int{3, 1}, -1},
		{[]int{33, 1}, []int{1, 1}, -1},
		{[]int{3, 3}, []int{2, 1, 1}, 1},
	} {
		p := new(parrot)
		v := Voice{Captioner: p, Name: "parrot@000000000000"}
		p.company = make(map[*model.Prefix]float64)
		var talks []Talk
		for i, n := range tt.prompts {
			talk := Talk{Voice: v, Frames: make([]*model.Features, 6), Prompts: questions(n), Since: time.Now()}
			if i == tt.failing {
				talk.Prompts[2] = "what?"
				p.cannot = "what?"
			}
			talks = append(talks, talk)
		}
		for i, said := range Discuss(t.Context(), talks) {
			want := tt.prompts[i]
			if i == tt.failing {
				want = 2
			}
			if len(said.Speeches) != want || (said.Err != nil) != (i == tt.failing) {
				t.Errorf("%v: talk %d has %d speeches and error %v", tt.prompts, i, len(said.Speeches), said.Err)
			}
			for k, s := range said.Speeches {
				if s.Text != "heard "+talks[i].Prompts[k] {
					t.Errorf("%v: talk %d says %q to %q", tt.prompts, i, s.Text, talks[i].Prompts[k])
				}
			}
		}
		if !slices.Equal(p.together, tt.begun) {
			t.Errorf("%v: windows begun %v, want %v", tt.prompts, p.together, tt.begun)
		}
	}
}
