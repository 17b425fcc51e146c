package sinks

import (
	"fmt"
	"strings"
)

// Subject is where e is published under prefix ("captiond" unless configured):
//
//	<prefix>.captions.<source>
//	<prefix>.answers.<source>.<name, or "ask" for a question that is not a standing one>
//	<prefix>.jobs.<source without "job-">
//	<prefix>.events.<source>                    every other kind
//
// Source and name must be valid names, since a '.' or '*' would change the route.
func Subject(prefix string, e Event) (string, error) {
	source := e.Head().Source
	if !ValidName(source) {
		return "", nameError("source", source)
	}
	switch e := e.(type) {
	case *Caption:
		return prefix + ".captions." + source, nil
	case *Answer:
		name := e.Name
		if name == "" {
			name = "ask"
		}
		if !ValidName(name) {
			return "", nameError("question name", name)
		}
		return prefix + ".answers." + source + "." + name, nil
	case *Job:
		id := strings.TrimPrefix(source, "job-")
		if id == "" {
			return "", nameError("source", source)
		}
		return prefix + ".jobs." + id, nil
	}
	return prefix + ".events." + source, nil
}

// Subjects are those that carry all that is published of a source, as NATS spells them.
func Subjects(prefix, source string) []string {
	subjects := []string{prefix + ".captions." + source, prefix + ".answers." + source + ".*", prefix + ".events." + source}
	if id, job := strings.CutPrefix(source, "job-"); job {
		subjects = append(subjects, prefix+".jobs."+id)
	}
	return subjects
}

func nameError(what, name string) error {
	return fmt.Errorf("name subject: %s %q must be 1 to 64 of A-Z a-z 0-9 _ -", what, name)
}

// ValidName says whether s may name a source or a question: [A-Za-z0-9_-]{1,64}.
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if !nameByte(c) {
			return false
		}
	}
	return true
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
