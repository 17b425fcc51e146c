package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/captiond/captiond/sinks"
)

func TestAskAnswersInOrder(t *testing.T) {
	t.Parallel()
	questions := []string{"how many shapes?", "what color?", "how many shapes?"}
	got := captiond(t, append([]string{"ask", shapes, "-o", "jsonl", "--from", "4s", "--to", "8s"}, questions...)...)
	got.want(t, exitDone, "")
	es := events(t, got.out)
	if len(es) != len(questions) {
		t.Fatalf("%d answers, want %d:\n%s", len(es), len(questions), got.out)
	}
	for i, e := range es {
		a, ok := e.(*sinks.Answer)
		if !ok || a.Question != questions[i] || a.Start.String() != "4" || a.End.String() != "8" || a.Seq != int64(i) {
			t.Errorf("answer %d is %+v", i, e)
		}
	}
	if first, third := es[0].(*sinks.Answer), es[2].(*sinks.Answer); first.Text != third.Text || first.ID != third.ID {
		t.Errorf("the same question has the answers %+v and %+v", first, third)
	}
}

func TestAskPicture(t *testing.T) {
	t.Parallel()
	got := captiond(t, "ask", "../../demo/picture.png", "what is it?", "-o", "jsonl")
	got.want(t, exitDone, "")
	a := events(t, got.out)[0].(*sinks.Answer)
	if a.End != 0 || len(a.Frames) != 1 || a.Clock != sinks.ClockNone {
		t.Errorf("a picture's answer has the span %+v", a.Span)
	}
}

func TestAskOutsideTheClip(t *testing.T) {
	t.Parallel()
	captiond(t, "ask", shapes, "what?", "--from", "20s").want(t, exitFailed, "is outside the clip: it is 12s long")
}

func TestAskWithoutSense(t *testing.T) {
	t.Parallel()
	captiond(t, "ask", "../../demo/picture.png", "what?", "--from", "1s").want(t, exitFailed, "a picture has no time: leave out from and to")
	captiond(t, "ask", shapes, "what?", " \t").want(t, exitUsage, "a question is empty")
	captiond(t, "ask", shapes, "what?", "--from", "8s", "--to", "4s").want(t, exitUsage, "--to must come after --from")
}

// A prompt that leaves no room gives an empty, truncated answer.
func TestAskWithoutRoom(t *testing.T) {
	t.Parallel()
	got := captiond(t, "ask", shapes, "how many shapes are there?", "-o", "jsonl", "--max-tokens", "3")
	got.want(t, exitDone, "")
	if a := events(t, got.out)[0].(*sinks.Answer); a.Text != "" || !a.Truncated {
		t.Errorf("the answer is %q, truncated %v", a.Text, a.Truncated)
	}
}

func TestAnimatedPictureIsAVideo(t *testing.T) {
	t.Parallel()
	still := regexp.MustCompile(`"frames":\[0\]`)
	got := captiond(t, "caption", "../../frames/ffmpeg/testdata/gif.gif", "-o", "jsonl")
	got.want(t, exitDone, "")
	if still.MatchString(got.out) || strings.Count(got.out, "\n") != 1 {
		t.Errorf("an animated GIF gave\n%s", got.out)
	}
}
