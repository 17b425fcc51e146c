package jetstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/captiond/captiond/pipeline/files"
	jobs "github.com/captiond/captiond/pipeline/jetstream"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
	"github.com/captiond/captiond/sinks/sinktest"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(childVariable); job != "" {
		os.Exit(child(job))
	}
	goleak.VerifyTestMain(m, sinktest.NATSLeaks())
}

// id is the id of the n-th upload.
func id(n int) string { return fmt.Sprintf("%032x", n) }

func start(t *testing.T) *nats.Server {
	t.Helper()
	s, err := nats.Start(nats.ServerOptions{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", MaxStore: 32 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, s *nats.Server) *nats.Client {
	t.Helper()
	c, err := nats.Dial(nats.Options{Server: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func queue(t *testing.T, c *nats.Client, o jobs.Options) *jobs.Queue {
	t.Helper()
	q, err := jobs.NewQueue(c.Conn(), o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// take takes a job that is to come within a while.
func take(t *testing.T, q *jobs.Queue) files.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, err := q.Take(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// none sees that no job comes for a while.
func none(t *testing.T, q *jobs.Queue, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if d, err := q.Take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("took %v, %v", d, err)
	}
}

func do(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	q := queue(t, c, jobs.Options{Waiting: 3, Patience: time.Second})
	for n := range 3 {
		do(t, "add", q.Add(t.Context(), id(n)))
	}
	do(t, "add what is there", q.Add(t.Context(), id(1)))
	if err := q.Add(t.Context(), id(3)); !errors.Is(err, files.ErrFull) {
		t.Errorf("one too many: %v, want %v", err, files.ErrFull)
	}
	if full, err := q.Full(t.Context()); err != nil || !full {
		t.Errorf("full: %v, %v", full, err)
	}
	first := take(t, q)
	if first.ID() != id(0) {
		t.Errorf("the first is %s", first.ID())
	}
	do(t, "done", first.Done(t.Context()))
	do(t, "done again", first.Done(t.Context()))
	if full, err := q.Full(t.Context()); err != nil || full {
		t.Errorf("full: %v, %v", full, err)
	}
	second := take(t, q)
	do(t, "back", second.Back(t.Context(), 0))
	do(t, "back again", second.Back(t.Context(), 0))
	rest := map[string]files.Delivery{}
	for range 2 { // in whatever order: the server is told in its own time
		d := take(t, q)
		rest[d.ID()] = d
	}
	if rest[id(1)] == nil || rest[id(2)] == nil {
		t.Fatalf("what was handed back, and what waited, are %v", rest)
	}
	do(t, "remove", q.Remove(t.Context(), id(1)))
	do(t, "remove what is not there", q.Remove(t.Context(), id(9)))
	do(t, "done", rest[id(2)].Done(t.Context()))
	none(t, q, 2*time.Second)
	if full, err := q.Full(t.Context()); err != nil || full {
		t.Errorf("full: %v, %v", full, err)
	}
}

// A job that is not confirmed comes again, as often as it takes; one that is does not.
func TestQueueHandsOutAgain(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	q := queue(t, c, jobs.Options{Patience: 500 * time.Millisecond})
	do(t, "add", q.Add(t.Context(), id(0)))
	for range 3 {
		take(t, q)
	}
	d := take(t, q)
	for range 5 {
		do(t, "beat", d.Beat())
		none(t, q, 200*time.Millisecond)
	}
	begun := time.Now()
	do(t, "back", d.Back(t.Context(), time.Second))
	d = take(t, q)
	if took := time.Since(begun); took < 900*time.Millisecond {
		t.Errorf("it came again after %v, want 1s", took)
	}
	do(t, "done", d.Done(t.Context()))
	none(t, q, time.Second)
}

// A job that was removed while it was under way can be settled like others.
func TestRemovedUnderWay(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	q := queue(t, c, jobs.Options{Patience: time.Second})
	do(t, "add", q.Add(t.Context(), id(0)))
	d := take(t, q)
	do(t, "remove", q.Remove(t.Context(), id(0)))
	do(t, "beat", d.Beat())
	do(t, "done", d.Done(t.Context()))
	none(t, q, 2*time.Second)
}

// What is no job goes; a stream that is removed is made anew.
func TestQueueMendsItself(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	q := queue(t, c, jobs.Options{Patience: time.Second})
	do(t, "add", q.Add(t.Context(), id(0)))
	do(t, "done", take(t, q).Done(t.Context()))
	js, err := jetstream.New(c.Conn())
	do(t, "open", err)
	_, err = js.Publish(t.Context(), "captiond.work.nonsense", nil)
	do(t, "publish nonsense", err)
	do(t, "add", q.Add(t.Context(), id(1)))
	if d := take(t, q); d.ID() != id(1) {
		t.Errorf("took %s", d.ID())
	}
	do(t, "delete stream", js.DeleteStream(t.Context(), "CAPTIOND_WORK"))
	do(t, "add", q.Add(t.Context(), id(2)))
	for begun := time.Now(); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		d, err := q.Take(ctx)
		cancel()
		if err == nil {
			do(t, "done", d.Done(t.Context()))
			break
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

// Two processes share a queue: each job is with one of them.
func TestSharedQueue(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, b := queue(t, dial(t, s), jobs.Options{}), queue(t, dial(t, s), jobs.Options{})
	for n := range 10 {
		do(t, "add", a.Add(t.Context(), id(n)))
	}
	var got []string
	for n := range 10 {
		d := take(t, []*jobs.Queue{a, b}[n%2])
		got = append(got, d.ID())
		do(t, "done", d.Done(t.Context()))
	}
	for n := range 10 {
		if !slices.Contains(got, id(n)) {
			t.Errorf("job %d was not handed out: %v", n, got)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	r, err := jobs.NewRecords(c.Conn(), jobs.Options{})
	do(t, "open", err)
	if all, err := r.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("at first there are %v, %v", all, err)
	}
	v := files.Video{ID: id(1), Source: files.Source(id(1)), Title: "a \u2028 clip.mp4", Owner: "me", State: sinks.JobQueued, Progress: 0.12345,
		Created: sinks.At(time.Now()), Options: files.Options{Every: 2500}}
	first, err := r.Put(t.Context(), v, 0)
	do(t, "put", err)
	got, revision, err := r.Get(t.Context(), v.ID)
	v.Progress = 0.1235
	if err != nil || revision != first || got != v {
		t.Errorf("got %+v, %d, %v; want %+v, %d", got, revision, err, v, first)
	}
	v.State = sinks.JobRunning
	second, err := r.Put(t.Context(), v, first)
	do(t, "put again", err)
	for name, revision := range map[string]uint64{"new": 0, "old": first, "wrong": second + 7} {
		if _, err := r.Put(t.Context(), v, revision); !errors.Is(err, files.ErrConflict) {
			t.Errorf("put with a revision that is %s: %v", name, err)
		}
	}
	w := v
	w.ID = id(2)
	_, err = r.Put(t.Context(), w, 0)
	do(t, "put another", err)
	if all, err := r.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("there are %v, %v", all, err)
	}
	do(t, "remove", r.Remove(t.Context(), v.ID))
	do(t, "remove again", r.Remove(t.Context(), v.ID))
	if _, _, err := r.Get(t.Context(), v.ID); !errors.Is(err, files.ErrUnknown) {
		t.Errorf("what was removed: %v", err)
	}
	if _, err := r.Put(t.Context(), v, second); !errors.Is(err, files.ErrConflict) {
		t.Errorf("what was removed, written again: %v", err)
	}
	if all, err := r.List(t.Context()); err != nil || len(all) != 1 || all[0].ID != w.ID {
		t.Errorf("there are %v, %v", all, err)
	}
}

// Where there is no room for new records, there still is for those that are there.
func TestRecordsAreBounded(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	r, err := jobs.NewRecords(c.Conn(), jobs.Options{RecordBytes: 8 << 10})
	do(t, "open", err)
	v := files.Video{Title: strings.Repeat("x", 200)}
	revisions := map[string]uint64{}
	for n := 0; ; n++ {
		v.ID = id(n)
		if revisions[v.ID], err = r.Put(t.Context(), v, 0); err != nil {
			break
		}
	}
	if !errors.Is(err, files.ErrFull) || len(revisions) < 5 {
		t.Errorf("after %d records: %v", len(revisions), err)
	}
	v.ID, v.State, v.Detail = id(3), sinks.JobFailed, strings.Repeat("x", 1000)
	if _, err := r.Put(t.Context(), v, revisions[v.ID]); err != nil {
		t.Errorf("a record that is there: %v", err)
	}
}

// A server that was away is no reason to begin anew.
func TestServerThatIsAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := nats.Start(nats.ServerOptions{StoreDir: dir, Listen: "127.0.0.1:0"})
	do(t, "start", err)
	c, err := nats.Dial(nats.Options{URL: s.URL()})
	do(t, "dial", err)
	defer func() { do(t, "close", c.Close(context.Background())) }()
	q := queue(t, c, jobs.Options{Patience: time.Second})
	r, err := jobs.NewRecords(c.Conn(), jobs.Options{})
	do(t, "open", err)
	do(t, "add", q.Add(t.Context(), id(0)))
	_, err = r.Put(t.Context(), files.Video{ID: id(0)}, 0)
	do(t, "put", err)
	do(t, "stop", s.Stop())
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := q.Add(short, id(1)); err == nil {
		t.Error("a job was queued at a server that is away")
	}
	if _, _, err := r.Get(short, id(0)); err == nil || errors.Is(err, files.ErrUnknown) {
		t.Errorf("a record was looked for at a server that is away: %v", err)
	}
	s, err = nats.Start(nats.ServerOptions{StoreDir: dir, Listen: strings.TrimPrefix(s.URL(), "nats://")})
	do(t, "start again", err)
	defer func() { do(t, "stop", s.Stop()) }()
	do(t, "check", c.Check(t.Context()))
	if d := take(t, q); d.ID() != id(0) {
		t.Errorf("took %s", d.ID())
	}
	if _, _, err := r.Get(t.Context(), id(0)); err != nil {
		t.Error(err)
	}
}

func uploads(t *testing.T, c *nats.Client) *jobs.Uploads {
	t.Helper()
	u, err := jobs.NewUploads(c.Conn(), jobs.Options{UploadBytes: 64 << 20})
	do(t, "open", err)
	return u
}

func TestUploads(t *testing.T) {
	t.Parallel()
	u := uploads(t, dial(t, start(t)))
	content := make([]byte, 3<<20+17)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	if err := u.Get(t.Context(), id(0), io.Discard); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	do(t, "put", u.Put(t.Context(), id(0), bytes.NewReader(content)))
	do(t, "put again", u.Put(t.Context(), id(0), bytes.NewReader(content)))
	var got bytes.Buffer
	do(t, "get", u.Get(t.Context(), id(0), &got))
	if !bytes.Equal(got.Bytes(), content) {
		t.Errorf("%d bytes came back of %d", got.Len(), len(content))
	}
	if there, err := u.Has(t.Context(), id(0)); err != nil || !there {
		t.Errorf("it is there: %v, %v", there, err)
	}
	do(t, "remove", u.Remove(t.Context(), id(0)))
	do(t, "remove again", u.Remove(t.Context(), id(0)))
	if there, err := u.Has(t.Context(), id(0)); err != nil || there {
		t.Errorf("removed, it is there: %v, %v", there, err)
	}
}

// A file of which a piece was lost or changed is an error, not another file.
func TestDamagedUpload(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	u := uploads(t, c)
	do(t, "put", u.Put(t.Context(), id(0), bytes.NewReader(make([]byte, 1<<20))))
	js, err := jetstream.New(c.Conn())
	do(t, "open", err)
	s, err := js.Stream(t.Context(), "OBJ_CAPTIOND_UPLOADS")
	do(t, "stream", err)
	do(t, "lose a piece", s.DeleteMsg(t.Context(), 3))
	if err := u.Get(t.Context(), id(0), io.Discard); !errors.Is(err, jetstream.ErrDigestMismatch) {
		t.Errorf("without a piece: %v, want %v", err, jetstream.ErrDigestMismatch)
	}
}

// A server that has no room for the bucket says what is to be done.
func TestServerThatIsTooSmall(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	u, err := jobs.NewUploads(c.Conn(), jobs.Options{UploadBytes: 1 << 50})
	do(t, "open", err)
	if err := u.Put(t.Context(), id(0), strings.NewReader("video")); err == nil || !strings.Contains(err.Error(), "give the server more") {
		t.Errorf("%v", err)
	}
}

// Files of no video go, and pieces of files that never were whole.
func TestSweep(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t))
	u := uploads(t, c)
	for n := range 2 {
		do(t, "put", u.Put(t.Context(), id(n), bytes.NewReader(make([]byte, 300<<10))))
	}
	do(t, "leave a piece", natsPublish(t, c, "$O.CAPTIOND_UPLOADS.C.orphan"))
	known := func(s string) bool { return s == id(1) }
	do(t, "sweep what is young", u.Sweep(t.Context(), known, time.Hour))
	for n := range 2 {
		if there, err := u.Has(t.Context(), id(n)); err != nil || !there {
			t.Errorf("file %d: %v, %v", n, there, err)
		}
	}
	do(t, "sweep", u.Sweep(t.Context(), known, 0))
	for n, want := range []bool{false, true} {
		if there, err := u.Has(t.Context(), id(n)); err != nil || there != want {
			t.Errorf("file %d: %v, %v", n, there, err)
		}
	}
	js, err := jetstream.New(c.Conn())
	do(t, "open", err)
	s, err := js.Stream(t.Context(), "OBJ_CAPTIOND_UPLOADS")
	do(t, "stream", err)
	if got := s.CachedInfo().State; got.NumSubjects != 2 || got.Msgs != 4 {
		t.Errorf("%d messages on %d subjects are left, want the 3 pieces of a file and its name", got.Msgs, got.NumSubjects)
	}
	do(t, "get", u.Get(t.Context(), id(1), io.Discard))
}

func natsPublish(t *testing.T, c *nats.Client, subject string) error {
	t.Helper()
	js, err := jetstream.New(c.Conn())
	if err == nil {
		_, err = js.PublishMsg(t.Context(), &natsio.Msg{Subject: subject, Data: make([]byte, 100)})
	}
	return err
}
