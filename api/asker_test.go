package api_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/sinks"
)

var (
	anna = api.Caller{Name: "anna"}
	clip = api.Subject{Video: "4711"}
)

func five() []string {
	return []string{"how many?", "what color?", "what moves?", "where to?", "how many?"}
}

// Five questions on one clip are one decoding and six runs of the encoder, whether they come
// at once or one after the other.
func TestFiveQuestions(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*studio, func() api.Subject) ([]*sinks.Answer, error){
		"at once": func(s *studio, subject func() api.Subject) ([]*sinks.Answer, error) {
			return s.Ask(t.Context(), anna, subject(), api.Ask{Questions: five()})
		},
		"one by one": func(s *studio, subject func() api.Subject) (all []*sinks.Answer, err error) {
			for _, q := range five() {
				answers, failed := s.Ask(t.Context(), anna, subject(), api.Ask{Questions: []string{q}})
				all, err = append(all, answers...), errors.Join(err, failed)
			}
			return all, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploads, sent := newStudio(t), newStudio(t)
			for source, run := range map[string]func() ([]*sinks.Answer, error){
				"job-4711": func() ([]*sinks.Answer, error) { return ask(uploads, func() api.Subject { return clip }) },
				// the first 12 digits of the SHA-256 of "clip"
				"file-67905ad3cc2d": func() ([]*sinks.Answer, error) {
					return ask(sent, func() api.Subject { return sent.file(t, "clip") })
				},
			} {
				answers, err := run()
				if err != nil || len(answers) != 5 {
					t.Fatalf("%d answers, %v", len(answers), err)
				}
				for i, a := range answers {
					if a.Question != five()[i] || a.Text != "heard "+five()[i] || a.Confidence != 0.5 || a.MinConfidence != 0.25 ||
						a.Source != source || a.Model != "owl@111111111111" || a.End.String() != "12" || len(a.Frames) != 6 ||
						a.Epoch != 1793534400000 || a.Clock != sinks.ClockContainer {
						t.Errorf("answer %d is %+v", i, a)
					}
				}
			}
			for _, s := range []*studio{uploads, sent} {
				if o, e, b, g := s.opened.Load(), s.parrot.encoded.Load(), s.parrot.begun.Load(), s.parrot.generated.Load(); o != 1 || e != 6 || b != 1 || g != 5 {
					t.Errorf("%d times opened, %d encoded, %d begun, %d generated; want 1, 6, 1, 5", o, e, b, g)
				}
			}
		})
	}
}

// What was seen is another scene by another stretch, another model and another view, and none
// by another search or title.
func TestScenes(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ask := func(a api.Ask) *sinks.Answer {
		t.Helper()
		a.Questions = []string{"what?"}
		answers, err := s.Ask(t.Context(), anna, clip, a)
		if err != nil {
			t.Fatal(err)
		}
		return answers[0]
	}
	ask(api.Ask{})
	for i, tt := range []struct {
		ask   api.Ask
		looks int64 // in all
	}{
		{api.Ask{Search: api.Search{Beam: 4, MaxTokens: 20}}, 1},
		{api.Ask{Stretch: api.Stretch{From: seconds(4), To: seconds(8)}}, 2},
		{api.Ask{Stretch: api.Stretch{From: seconds(4), To: seconds(8)}}, 2},
		{api.Ask{Search: api.Search{View: "squash"}}, 3},
		{api.Ask{Search: api.Search{Model: "parrot"}}, 4},
		{api.Ask{Stretch: api.Stretch{From: seconds(0)}}, 4},
	} {
		if ask(tt.ask); s.parrot.begun.Load() != tt.looks {
			t.Errorf("after ask %d the clip was looked at %d times, want %d", i, s.parrot.begun.Load(), tt.looks)
		}
	}
	a := ask(api.Ask{Stretch: api.Stretch{From: seconds(4), To: seconds(99)}})
	if a.Start.String() != "4" || a.End.String() != "12" || a.Title != "holiday.mp4" {
		t.Errorf("from 4 s to behind the end: %+v", a)
	}
}

func TestCaptionAndPicture(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	captions, err := s.Caption(t.Context(), anna, clip, api.Search{})
	if err != nil || len(captions) != 1 || captions[0].Text != "heard" || captions[0].End.String() != "12" || captions[0].Model != "parrot@000000000000" {
		t.Errorf("%+v, %v", captions, err)
	}
	for range 2 {
		answers, err := s.Ask(t.Context(), anna, s.file(t, "picture"), api.Ask{Questions: []string{"what?"}})
		if err != nil || answers[0].End != 0 || answers[0].Clock != sinks.ClockNone || answers[0].Epoch != 0 {
			t.Errorf("a picture: %+v, %v", answers, err)
		}
	}
	if n := s.parrot.pictures.Load(); n != 1 {
		t.Errorf("the picture was looked at %d times", n)
	}
	if a, err := s.Ask(t.Context(), anna, s.file(t, "truncated"), api.Ask{Questions: []string{"what?"}}); err != nil || len(a) != 1 {
		t.Errorf("of what can be decoded: %v, %v", a, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.options.Waiting = 100
	s.Asker = api.NewAsker(s.options)
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	words := strings.Repeat("word ", 10_000)
	for name, tt := range map[string]struct {
		subject api.Subject
		ask     api.Ask
		status  int
		words   string
	}{
		"no question":                {clip, api.Ask{Questions: []string{}}, 422, "there are 0 questions: ask 1 to 100"},
		"too many questions":         {clip, api.Ask{Questions: slices.Repeat([]string{"what?"}, 101)}, 422, "there are 101 questions"},
		"empty question":             {clip, api.Ask{Questions: []string{"what?", ""}}, 422, "question 2 is empty"},
		"blank question":             {clip, api.Ask{Questions: []string{" \t\n"}}, 422, "question 1 is empty"},
		"10,000 words":               {clip, api.Ask{Questions: []string{words}}, 422, "question 1 has 50000 characters: use 2000 at most"},
		"no UTF-8":                   {clip, api.Ask{Questions: []string{"what\xff?"}}, 422, "question 1 is no UTF-8"},
		"from after to":              {clip, api.Ask{Stretch: api.Stretch{From: seconds(8), To: seconds(4)}}, 422, "from 8 to 4 is no stretch"},
		"from at to":                 {clip, api.Ask{Stretch: api.Stretch{From: seconds(8), To: seconds(8)}}, 422, "from 8 to 8 is no stretch"},
		"to 0":                       {clip, api.Ask{Stretch: api.Stretch{To: seconds(0)}}, 422, "is no stretch"},
		"negative":                   {clip, api.Ask{Stretch: api.Stretch{From: seconds(-1)}}, 422, "from is -1: it must be a number of seconds from 0 on"},
		"to negative":                {clip, api.Ask{Stretch: api.Stretch{To: seconds(-1)}}, 422, "to is -1"},
		"absurd":                     {clip, api.Ask{Stretch: api.Stretch{From: &api.Moment{Offset: math.MaxInt64}}}, 422, "no video is that long"},
		"outside the clip":           {clip, api.Ask{Stretch: api.Stretch{From: seconds(12)}}, 422, "from 12s is outside the clip: it is 12s long"},
		"outside a picture":          {s.file(t, "picture"), api.Ask{Stretch: api.Stretch{From: seconds(1)}}, 422, "a picture has no time"},
		"time of day of a clip":      {clip, api.Ask{Stretch: api.Stretch{From: clock(noon)}}, 422, "a time of day is for cameras"},
		"last of a clip":             {clip, api.Ask{Stretch: api.Stretch{Last: 5000}}, 422, "last is for cameras"},
		"last and from":              {clip, api.Ask{Stretch: api.Stretch{Last: 5000, From: seconds(1)}}, 422, "two ways to say when"},
		"last negative":              {clip, api.Ask{Stretch: api.Stretch{Last: -1}}, 422, "last is -0.001"},
		"beams":                      {clip, api.Ask{Search: api.Search{Beam: 65}}, 422, "65 beams: use 1 to 64"},
		"no beams":                   {clip, api.Ask{Search: api.Search{Beam: -1}}, 422, "-1 beams"},
		"style":                      {clip, api.Ask{Search: api.Search{BeamStyle: "best"}}, 422, "use microsoft or hf"},
		"tokens":                     {clip, api.Ask{Search: api.Search{MaxTokens: -1}}, 422, "-1 tokens"},
		"view":                       {clip, api.Ask{Search: api.Search{View: "0,0,2,2"}}, 422, "read view"},
		"unknown id":                 {api.Subject{Video: "4712"}, api.Ask{}, 404, "there is no video"},
		"unknown camera":             {api.Subject{Camera: "door"}, api.Ask{}, 404, `there is no camera "door"`},
		"unknown model":              {clip, api.Ask{Search: api.Search{Model: "stranger"}}, 422, "there is no model stranger"},
		"no model for answers":       {clip, api.Ask{Search: api.Search{Model: "broken"}}, 503, "set model.answer"},
		"nothing to ask about":       {api.Subject{}, api.Ask{}, 422, "0 subjects are given"},
		"two subjects":               {api.Subject{Video: "4711", Camera: "door"}, api.Ask{}, 422, "2 subjects are given"},
		"a file that is text":        {s.file(t, "text"), api.Ask{}, 415, "this is text"},
		"a file that is damaged":     {s.file(t, "moov atom not found"), api.Ask{}, 422, "the file cannot be decoded: moov atom not found"},
		"a file that is damaged mid": {s.file(t, "breaks off"), api.Ask{}, 422, "the file cannot be decoded: no progress for 10s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.ask.Questions == nil {
				tt.ask.Questions = []string{"what?"}
			}
			answers, err := s.Ask(t.Context(), anna, tt.subject, tt.ask)
			if refused(t, err, tt.status, tt.words); answers != nil {
				t.Errorf("%d answers beside", len(answers))
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the client is told %v", err)
			}
		})
	}
}

// Another token's upload looks as if it were not there; who asked before makes no difference.
func TestAnothersUpload(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	q := api.Ask{Questions: []string{"what?"}}
	if _, err := s.Ask(t.Context(), anna, clip, q); err != nil {
		t.Fatal(err)
	}
	_, err := s.Ask(t.Context(), api.Caller{Name: "bert"}, clip, q)
	refused(t, err, 404, "there is no video")
	if _, err := s.Ask(t.Context(), api.Caller{Admin: true}, clip, q); err != nil {
		t.Error(err)
	}
}

// When all that may is answered or waits, the next is told to come again, at once.
func TestBusy(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.hold = make(chan struct{})
	s.options.Running, s.options.Waiting = 1, 2
	s.Asker = api.NewAsker(s.options)
	q := api.Ask{Questions: []string{"what?"}}
	results := make(chan error, 5)
	for range 5 {
		go func() {
			_, err := s.Ask(t.Context(), anna, clip, q)
			results <- err
		}()
	}
	for range 2 {
		err := <-results
		refused(t, err, 503, "busy")
		if e, ok := errors.AsType[*api.Error](err); ok && e.RetryAfter != 2*time.Second {
			t.Errorf("come again after %v", e.RetryAfter)
		}
	}
	close(s.hold)
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if s.Refused() != 2 {
		t.Errorf("%d were refused", s.Refused())
	}
	if _, err := s.Ask(t.Context(), anna, clip, q); err != nil {
		t.Errorf("afterwards %v", err)
	}
}

// Who leaves while a clip is being looked at hurts nobody who waits for the same: not even by
// closing its file.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.hold = make(chan struct{})
	q := api.Ask{Questions: []string{"what?"}}
	ctx, leave := context.WithCancel(t.Context())
	first := s.file(t, "clip")
	left := make(chan error, 1)
	go func() {
		_, err := s.Ask(ctx, anna, first, q)
		left <- errors.Join(err, first.File.Close())
	}()
	eventually(t, func() bool { return s.opened.Load() == 1 })
	second := s.file(t, "clip")
	stays := make(chan error, 1)
	go func() {
		_, err := s.Ask(t.Context(), anna, second, q)
		stays <- err
	}()
	eventually(t, func() bool { return s.options.Scenes.Count().Hits == 1 })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(s.hold)
	if err := <-stays; err != nil || s.opened.Load() != 1 {
		t.Errorf("who stayed got %v; the clip was opened %d times", err, s.opened.Load())
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !so(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to be")
		}
	}
}

// Many callers and few scenes, in a memory for none of them: every answer comes.
func TestCrowd(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.options.Waiting = 100
	s.Asker = api.NewAsker(s.options)
	var crowd sync.WaitGroup
	for who := range 8 {
		crowd.Go(func() {
			for i := range 20 {
				from := seconds(float64((who + i) % 3))
				answers, err := s.Ask(t.Context(), anna, clip, api.Ask{Questions: []string{"what?"}, Stretch: api.Stretch{From: from}})
				if err != nil || answers[0].Start != from.Offset {
					t.Errorf("%v, %v", answers, err)
				}
			}
		})
	}
	crowd.Wait()
}

// A request whose time is over while it waits is not answered, and its place is free again.
func TestTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		s.hold = make(chan struct{})
		s.options.Running, s.options.Waiting = 1, 1
		s.Asker = api.NewAsker(s.options)
		var all sync.WaitGroup
		for i := range 2 {
			all.Go(func() {
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Duration(i+1)*time.Second, fmt.Errorf("time is over: %w", context.DeadlineExceeded))
				defer cancel()
				_, err := s.Ask(ctx, anna, clip, api.Ask{Questions: []string{"what?"}})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		close(s.hold)
		if _, err := s.Ask(t.Context(), anna, clip, api.Ask{Questions: []string{"what?"}}); err != nil {
			t.Error(err)
		}
	})
}
