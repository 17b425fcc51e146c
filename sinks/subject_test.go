package sinks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/sinks"
)

// TestSubjectsCoverTheSource has each kind of event on a subject that is one of its source's.
func TestSubjectsCoverTheSource(t *testing.T) {
	t.Parallel()
	head := sinks.Header{Source: "front"}
	job := sinks.Header{Source: "job-17"}
	for _, e := range []sinks.Event{
		&sinks.Caption{Header: head}, &sinks.Answer{Header: head}, &sinks.Answer{Header: head, Name: "person"},
		&sinks.Cut{Header: head}, &sinks.Gap{Header: head}, &sinks.Status{Header: head},
		&sinks.Caption{Header: job}, &sinks.Job{Header: job},
	} {
		subject, err := sinks.Subject("captiond", e)
		if err != nil {
			t.Fatal(err)
		}
		covered := func(source string) bool {
			return slices.ContainsFunc(sinks.Subjects("captiond", source), func(pattern string) bool {
				prefix, star := strings.CutSuffix(pattern, "*")
				rest, ok := strings.CutPrefix(subject, prefix)
				return ok && (star && rest != "" && !strings.Contains(rest, ".") || !star && rest == "")
			})
		}
		if !covered(e.Head().Source) || covered("other") {
			t.Errorf("%s of %s on %s is not among %q", e.Kind(), e.Head().Source, subject, sinks.Subjects("captiond", e.Head().Source))
		}
	}
}
