package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// kill -9 of the daemon at 20 random points of a job: the captions are those of a run that
// nobody disturbed, each once.
func TestJobKilled(t *testing.T) {
	t.Parallel()
	c := newClip(t, 61, 6)
	options := []string{"every=0.2"}
	calm := startProcess(t, t.TempDir(), "")
	want := calm.captions(t, calm.ended(t, calm.upload(t, c.path, options...)).ID)
	calm.stop(t)
	if len(want) < 100 {
		t.Fatalf("only %d captions: too few to be disturbed", len(want))
	}

	state := t.TempDir()
	daemon := func() *process { return startProcess(t, state, "", "--jobs-patience", "1s", "--jobs-attempts", "100") }
	p := daemon()
	id := p.upload(t, c.path, options...)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		p.told(t, id, 1+rng.IntN(6))
		<-time.After(time.Duration(rng.IntN(40)) * time.Millisecond)
		p.end(t, syscall.SIGKILL)
		p = daemon()
	}
	v := p.ended(t, id)
	if v.State != sinks.JobDone || v.Attempt < 10 {
		t.Errorf("%+v", v)
	}
	same(t, want, p.captions(t, id))
	p.stop(t)
}

// told waits until so many more captions of a video have come, or it has ended.
func (p *process) told(t testing.TB, id string, more int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := nats.Dial(nats.Options{URL: p.nats})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close(context.WithoutCancel(ctx)) }()
	for e, err := range client.Watch(ctx, sinks.From{}, sinks.Subjects("captiond", "job-"+id)...) {
		if err != nil {
			t.Fatal(err)
		}
		if j, ok := e.(*sinks.Job); ok && j.State == sinks.JobDone {
			return
		}
		if e.Kind() == sinks.KindCaption {
			more--
		}
		if more == 0 {
			return
		}
	}
	t.Fatalf("no captions within a minute:\n%s", p.log)
}

// same compares captions in all but how long they took and whose they are.
func same(t *testing.T, want, got []*sinks.Caption) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d captions, want %d", len(got), len(want))
		return
	}
	seen := map[string]bool{}
	for i, g := range got {
		if seen[g.ID] {
			t.Errorf("caption %d is there twice", i)
		}
		seen[g.ID] = true
		w := *want[i]
		w.ID, w.Source, w.LatencyMS = g.ID, g.Source, g.LatencyMS
		a, errA := sinks.Encode(&w)
		b, errB := sinks.Encode(g)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("caption %d is\n%s\nwant\n%s", i, b, a)
		}
	}
}

// A decode child that is killed costs a job nothing but time.
func TestJobChildKilled(t *testing.T) {
	t.Parallel()
	c := newClip(t, 62, 6)
	p := startProcess(t, t.TempDir(), "", "--jobs-patience", "1s")
	id := p.upload(t, c.path, "every=0.2")
	p.told(t, id, 3)
	killChild(t, p.cmd.Process.Pid)
	v := p.ended(t, id)
	if captions := p.captions(t, id); v.State != sinks.JobDone || v.Attempt < 2 || len(captions) != 120 {
		t.Errorf("%d captions, %+v", len(captions), v)
	}
	p.stop(t)
}

// A daemon takes uploads, another one, without its folder, captions them by way of the first one's
// NATS server; they are asked about at either.
func TestJobsShared(t *testing.T) {
	t.Parallel()
	door := startProcess(t, t.TempDir(), "", "--uploads-shared", "--jobs-workers", "0")
	worker := startProcess(t, t.TempDir(), "", "--uploads-shared", "--nats", door.nats)
	c := newClip(t, 63, 3)
	id := door.upload(t, c.path, "scenes=true")
	v := door.ended(t, id)
	if v.State != sinks.JobDone {
		t.Errorf("%+v", v)
	}
	checkScenes(t, "shared", c, door.captions(t, id))
	var here, there struct{ Answers []*sinks.Answer }
	q := map[string]any{"questions": []string{"how many shapes are there?"}, "from": 0.1, "to": 3.9}
	door.post(t, "/v1/videos/"+id+"/questions", http.StatusOK, q, &here)
	worker.post(t, "/v1/videos/"+id+"/questions", http.StatusOK, q, &there)
	if len(here.Answers) != 1 || len(there.Answers) != 1 || here.Answers[0].Text != there.Answers[0].Text {
		t.Errorf("%+v, %+v", here, there)
	}
	door.do(t, door.request(t, http.MethodDelete, "/v1/videos/"+id, nil), http.StatusNoContent, nil)
	if list := worker.get(t, "/v1/videos"); strings.Contains(list, id) {
		t.Errorf("a deleted video is listed: %s", list)
	}
	worker.stop(t)
	door.stop(t)
}
