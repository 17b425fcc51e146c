package files

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for json, want := range map[string]string{
		`{}`:                               "",
		`{"every":0.1}`:                    "",
		`{"every":86400}`:                  "",
		`{"whole":true}`:                   "",
		`{"scenes":true,"model":"x"}`:      "",
		`{"every":0.09}`:                   "every must be",
		`{"every":86401}`:                  "every must be",
		`{"every":-1}`:                     "every must be",
		`{"every":5,"whole":true}`:         "give one of them",
		`{"scenes":true,"whole":true}`:     "give one of them",
		`{"every":5,"scenes":true}`:        "give one of them",
		`{"every":5,"scenes":false}`:       "",
		`{"every":5,"scenes":true,"a":{}}`: "give one of them",
	} {
		if err := decodeOptions(t, json).Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", json, err, want)
		}
	}
}

func decodeOptions(t *testing.T, text string) (o Options) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// The event of a record is the same one after the record was stored and read.
func TestEventOfARecord(t *testing.T) {
	t.Parallel()
	for _, p := range []sinks.Probability{0, 0.33333, 0.12345, 0.99996, 1} {
		v := Video{ID: testID, Source: Source(testID), State: sinks.JobRunning, Attempt: 3, Progress: p, Created: sinks.At(time.Now())}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var again Video
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatal(err)
		}
		if a, b := v.Event().ID, again.Event().ID; a != b {
			t.Errorf("progress %v: the id %s becomes %s", p, a, b)
		}
	}
}

func TestValidID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{testID: true, "": false, strings.ToUpper(testID): false, testID[1:]: false, testID + "0": false,
		"../" + testID[3:]: false, testID[:31] + "g": false, testID[:31] + ".": false} {
		if ValidID(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}
