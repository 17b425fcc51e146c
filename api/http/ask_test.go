package http_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/captiond/captiond/sinks"
)

func TestQuestions(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	id := s.upload(t, clip(100))
	a := s.json(t, "POST", "/v1/videos/"+id+"/questions", map[string]any{"questions": []string{"is it red?", "how many?"}, "from": 1.5, "to": 3, "beam": 4, "max_tokens": 20})
	var out struct{ Answers []json.RawMessage }
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 || len(out.Answers) != 2 {
		t.Fatalf("%d %s, %v", a.status, a.body, err)
	}
	e, err := sinks.Decode(out.Answers[1])
	if answer, ok := e.(*sinks.Answer); !ok || err != nil || answer.Question != "how many?" || answer.Text != "yes" {
		t.Errorf("%s, %v", out.Answers[1], err)
	}
	q := s.model.ask
	if s.model.subject.Video != id || q.From.Offset != 1500 || q.To.Offset != 3000 || q.Beam != 4 || q.MaxTokens != 20 {
		t.Errorf("%+v", q)
	}
}

// All that can be asked about, by both kinds of body.
func TestAsk(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	if a := s.json(t, "POST", "/v1/ask", map[string]any{"camera": "door", "questions": []string{"who?"}, "last": 60}); a.status != 200 || s.model.subject.Camera != "door" || s.model.ask.Last != 60_000 {
		t.Errorf("%d %s: %+v", a.status, a.body, s.model.ask)
	}
	if a := s.json(t, "POST", "/v1/ask", map[string]any{"camera": "door", "questions": []string{"who?"}, "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:01:00+01:00"}); a.status != 422 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.json(t, "POST", "/v1/ask", map[string]any{"camera": "door", "questions": []string{"who?"}, "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:01:00Z"}); a.status != 200 || s.model.ask.From.Time.Year() != 2026 {
		t.Errorf("%d %s: %+v", a.status, a.body, s.model.ask)
	}
	if a := s.json(t, "POST", "/v1/cameras/door/questions", map[string]any{"questions": []string{"who?"}, "last": 30}); a.status != 200 || s.model.subject.Camera != "door" || s.model.ask.Last != 30_000 {
		t.Errorf("%d %s: %+v", a.status, a.body, s.model.ask)
	}
	if a := s.form(t, "/v1/ask", field{"camera", "", "door"}, field{"questions", "", "who?"}, field{"last", "", "5"}); a.status != 200 || s.model.subject.Camera != "door" || s.model.subject.File != nil || s.model.ask.Last != 5000 {
		t.Errorf("%d %s: %+v %+v", a.status, a.body, s.model.subject, s.model.ask)
	}
	content := clip(5000)
	a := s.form(t, "/v1/ask", field{"questions", "", "is it red?\nhow many?\n"}, field{"file", "a/b.png", content}, field{"from", "", "2"}, field{"view", "", "0,0,1,1"}, field{"beam", "", "2"})
	if m := s.model; a.status != 200 || string(m.content) != content || m.subject.Title != "b.png" || len(m.ask.Questions) != 2 || m.ask.From.Offset != 2000 || m.ask.View != "0,0,1,1" || m.ask.Beam != 2 {
		t.Errorf("%d %s: %+v of %s, %d bytes", a.status, a.body, m.ask, m.subject.Title, len(m.content))
	}
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	s.json(t, "POST", "/v1/ask", map[string]any{"questions": []string{"what?"}}).problem(t, 422, "")
	s.json(t, "POST", "/v1/ask", map[string]any{"video": strings.Repeat("0", 32), "camera": "a", "questions": []string{"what?"}}).problem(t, 422, "")
	s.form(t, "/v1/ask", field{"questions", "", "what?"}, field{"camera", "", "a"}, field{"file", "a", content}).problem(t, 422, "")
	s.form(t, "/v1/ask", field{"questions", "", "what?"}, field{"beam", "", "many"}, field{"file", "a", content}).problem(t, 422, "beam")
	s.form(t, "/v1/ask", field{"question", "", "what?"}, field{"file", "a", content}).problem(t, 422, "question")
}

func TestClassify(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	a := s.form(t, "/v1/classify", field{"file", "a.png", clip(100)}, field{"labels", "", "a cat\na dog\r\n\n"}, field{"labels", "", "a bird"}, field{"top", "", "2"})
	if a.status != 200 || len(s.model.label.Labels) != 3 || s.model.label.Labels[1] != "a dog" || s.model.label.Top != 2 || !strings.Contains(a.body, `"label":"a cat"`) {
		t.Errorf("%d %s: %+v", a.status, a.body, s.model.label)
	}
	labels := make([]string, 10_001)
	for i := range labels {
		labels[i] = "a"
	}
	s.json(t, "POST", "/v1/classify", map[string]any{"camera": "door", "labels": labels}).problem(t, 422, "10001 labels")
	if a := s.json(t, "POST", "/v1/classify", map[string]any{"camera": "door", "labels": labels[1:]}); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.form(t, "/v1/caption", field{"file", "a.png", clip(100)}); a.status != 200 || strings.TrimSpace(a.body) != `{"captions":[]}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}
