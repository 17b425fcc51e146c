package api

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// Limits of what is asked.
const (
	MaxQuestions          = 100
	MaxQuestionCharacters = 2000 // the model looks at the first 40 tokens
	maxTime               = sinks.Seconds(10 * 365 * 24 * time.Hour / time.Millisecond)
)

func unprocessable(format string, args ...any) error {
	return Errorf(http.StatusUnprocessableEntity, format, args...)
}

func checkQuestions(questions []string) error {
	if n := len(questions); n == 0 || n > MaxQuestions {
		return unprocessable("there are %d questions: ask 1 to %d at once", n, MaxQuestions)
	}
	for i, q := range questions {
		if err := checkQuestion(fmt.Sprintf("question %d", i+1), q); err != nil {
			return err
		}
	}
	return nil
}

func checkQuestion(name, q string) error {
	switch n := utf8.RuneCountInString(q); {
	case strings.TrimSpace(q) == "":
		return unprocessable("%s is empty: leave it out or ask something", name)
	case n > MaxQuestionCharacters:
		return unprocessable("%s has %d characters: use %d at most", name, n, MaxQuestionCharacters)
	case !utf8.ValidString(q):
		return unprocessable("%s is no UTF-8", name)
	}
	return nil
}

// check refuses what is wrong whatever the subject.
func (r request) check() error {
	if _, _, err := r.Search.plain().Request(); err != nil {
		return unprocessable("%v", err)
	}
	subjects := 0
	for _, given := range []bool{r.Video != "", r.Subject.Camera != "", r.File != nil} {
		if given {
			subjects++
		}
	}
	if subjects != 1 {
		return unprocessable("%d subjects are given: ask about one upload, one camera or one file", subjects)
	}
	if err := r.Stretch.check(); err != nil {
		return err
	}
	if r.Subject.Camera == "" {
		return r.Stretch.checkClip()
	}
	return nil
}

// check refuses what is no stretch, of whatever it is.
func (s Stretch) check() error {
	if s.Last < 0 || s.Last > maxTime {
		return unprocessable("last is %v: it must be a number of seconds above 0", s.Last)
	}
	if err := cmp.Or(s.From.check("from"), s.To.check("to")); err != nil {
		return err
	}
	if s.Last > 0 && (s.From != nil || s.To != nil) {
		return unprocessable("last and from or to are two ways to say when: use one of them")
	}
	if s.From == nil || s.To == nil || s.From.Time.IsZero() != s.To.Time.IsZero() {
		return nil
	}
	if s.To.Offset <= s.From.Offset && !s.To.Time.After(s.From.Time) {
		return unprocessable("from %v to %v is no stretch: to must come after from", s.From, s.To)
	}
	return nil
}

// check refuses what is in no video; a moment that is not given is right.
func (m *Moment) check(name string) error {
	switch {
	case m == nil:
	case m.Offset < 0:
		return unprocessable("%s is %v: it must be a number of seconds from 0 on", name, m.Offset)
	case m.Offset > maxTime:
		return unprocessable("%s is %v seconds: no video is that long", name, m.Offset)
	}
	return nil
}

// checkClip refuses what only cameras have.
func (s Stretch) checkClip() error {
	switch {
	case s.Last > 0:
		return unprocessable("last is for cameras: use from and to, in seconds from the beginning of the clip")
	case s.From != nil && !s.From.Time.IsZero(), s.To != nil && !s.To.Time.IsZero():
		return unprocessable("a time of day is for cameras: use seconds from the beginning of the clip")
	case s.To != nil && s.To.Offset == 0: // which frames.Stretch takes for the end
		return unprocessable("from 0 to 0 is no stretch: to must come after from")
	}
	return nil
}

// clip is the stretch of a clip.
func (s Stretch) clip() (f frames.Stretch) {
	if s.From != nil {
		f.From = s.From.Offset.Duration()
	}
	if s.To != nil {
		f.To = s.To.Offset.Duration()
	}
	return f
}

// String is the moment as messages show it.
func (m Moment) String() string {
	if m.Time.IsZero() {
		return m.Offset.String()
	}
	return m.Time.Format(time.RFC3339Nano)
}

// plain is the search in the pipeline's words: what is not said is as for `captiond ask`.
func (s Search) plain() pipeline.Search {
	d := pipeline.Greedy()
	return pipeline.Search{
		Beams: cmp.Or(s.Beam, d.Beams), Style: cmp.Or(s.BeamStyle, d.Style),
		MaxTokens: s.MaxTokens, View: cmp.Or(s.View, d.View),
	}
}

// apply has a voice search so.
func (s Search) apply(v pipeline.Voice) (pipeline.Voice, error) {
	v, err := s.plain().Voice(v)
	if err != nil {
		return v, unprocessable("%v", err)
	}
	return v, nil
}
