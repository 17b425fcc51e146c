package main

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/micro"
	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/synthetic"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/recall"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

const ringClip = "../../demo/heldout/clips/0001.mp4"

// ringQuestions are questions about that clip, with their answers from its scene.
func ringQuestions() (questions, answers []string) {
	for _, qa := range [][2]string{
		{"what color is the ring?", "blue"}, {"how many shapes are there?", "two"}, {"what shape is purple?", "cross"},
		{"what does the blue ring do?", "disappears"}, {"does the cross move?", "no"},
	} {
		questions, answers = append(questions, qa[0]), append(answers, qa[1])
	}
	return questions, answers
}

// counting is a model whose runs of the encoder are counted.
type counting struct {
	pipeline.Captioner
	encoded *atomic.Int64
}

func (c counting) EncodeAll(ctx context.Context, imgs []*image.RGBA, v model.View) ([]*model.Features, error) {
	c.encoded.Add(int64(len(imgs)))
	return c.Captioner.EncodeAll(ctx, imgs, v)
}

// asker is one as the daemon has it, until the test ends.
type asker struct {
	*api.Asker
	encoded atomic.Int64
	renew   func() // forgets all that was seen
}

func newAsker(t testing.TB, checkpoint string) *asker {
	t.Helper()
	m := openModels(t, checkpoint, checkpoint)
	a := new(asker)
	var scenes *recall.Memory[*pipeline.Scene]
	a.renew = func() {
		if scenes != nil {
			scenes.Close()
		}
		scenes = recall.New[*pipeline.Scene](1 << 30)
		a.Asker = api.NewAsker(api.AskerOptions{Open: m.tool.reader.material, Scenes: scenes, Voice: func(name string, kind sinks.Kind) (pipeline.Voice, error) {
			v, err := m.speaker(name, kind)
			v.Captioner = counting{v.Captioner, &a.encoded}
			return v, err
		}})
	}
	a.renew()
	t.Cleanup(func() { scenes.Close() })
	return a
}

// openModels are those of a daemon with these checkpoints, until the test ends.
func openModels(t testing.TB, caption, answer string) *models {
	t.Helper()
	config := configs.Default()
	config.State, config.Model.Library, config.Model.Caption, config.Model.Answer = t.TempDir(), library(t), caption, answer
	s := streams{decoder: decoder, err: io.Discard}
	tool := &tool{streams: s, config: config, log: slog.New(slog.DiscardHandler)}
	tool.reader = newReader(s, config.Decode, tool.log)
	ready, done, ended := make(chan *models), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- tool.withModels(context.WithoutCancel(t.Context()), func(m *models) error {
			ready <- m
			<-done
			return nil
		})
	}()
	t.Cleanup(func() {
		close(done)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case m := <-ready:
		return m
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	return nil
}

// about asks about a file, with a descriptor of its own.
func (a *asker) about(t testing.TB, path string, questions ...string) []*sinks.Answer {
	t.Helper()
	return a.ask(t, path, api.Ask{Questions: questions})
}

func (a *asker) ask(t testing.TB, path string, q api.Ask) []*sinks.Answer {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	answers, err := a.Ask(t.Context(), api.Caller{}, api.Subject{File: f, Title: filepath.Base(path)}, q)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

// Five questions on one clip: five right answers and six encoder runs in all, whether they
// come at once or one by one; and word for word, number for number what the command line says.
func TestFiveQuestionsOnOneClip(t *testing.T) {
	t.Parallel()
	questions, want := ringQuestions()
	told := captiond(t, append([]string{"ask", ringClip, "-o", "jsonl"}, questions...)...)
	told.want(t, exitDone, "")
	line := events(t, told.out)
	a := newAsker(t, builtIn)
	atOnce := a.about(t, ringClip, questions...)
	var oneByOne []*sinks.Answer
	for _, q := range questions {
		oneByOne = append(oneByOne, a.about(t, ringClip, q)...)
	}
	if n := a.encoded.Load(); n != 6 {
		t.Errorf("%d runs of the encoder, want 6", n)
	}
	for i, answer := range atOnce {
		if answer.Text != want[i] || answer.Confidence < 0.5 {
			t.Errorf("%q: %q, confidence %v; want %q", questions[i], answer.Text, answer.Confidence, want[i])
		}
		sameAnswer(t, answer, line[i])
		sameAnswer(t, answer, oneByOne[i])
	}
}

// sameAnswer fails the test where answers differ in more than their latency and number.
func sameAnswer(t *testing.T, want *sinks.Answer, got sinks.Event) {
	t.Helper()
	a, ok := got.(*sinks.Answer)
	if !ok {
		t.Fatalf("a %T among answers", got)
	}
	plain := func(a sinks.Answer) string {
		a.LatencyMS, a.Seq = 0, 0
		b, err := sinks.Encode(&a)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if w, g := plain(*want), plain(*a); w != g {
		t.Errorf("answers differ:\n%s\n%s", w, g)
	}
}

// What the door for NATS says of the bytes of a clip is what the command line says.
func TestAskOverNATS(t *testing.T) {
	t.Parallel()
	questions, _ := ringQuestions()
	told := captiond(t, append([]string{"ask", ringClip, "-o", "jsonl", "--beam", "4"}, questions...)...)
	told.want(t, exitDone, "")
	server, err := nats.Start(nats.ServerOptions{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	client, err := nats.Dial(nats.Options{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- micro.Serve(t.Context(), stop, micro.Options{Conn: client.Conn(), Asker: newAsker(t, builtIn)})
	}()
	defer func() {
		close(stop)
		if err := errors.Join(<-ended, client.Close(context.Background()), server.Stop()); err != nil {
			t.Error(err)
		}
	}()
	request := natsio.NewMsg("captiond.ask")
	request.Header = natsio.Header{"Content-Type": {"video/mp4"}, "Captiond-Question": questions, "Captiond-Options": {`{"beam":4}`}}
	if request.Data, err = os.ReadFile(ringClip); err != nil {
		t.Fatal(err)
	}
	var reply *natsio.Msg
	for deadline := time.Now().Add(time.Minute); ; {
		if reply, err = client.Conn().RequestMsg(request, time.Minute); !errors.Is(err, natsio.ErrNoResponders) || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Answers []*sinks.Answer }
	if err := json.Unmarshal(reply.Data, &got); err != nil || len(got.Answers) != len(questions) {
		t.Fatalf("%v: %v %s", err, reply.Header, reply.Data)
	}
	for i, e := range events(t, told.out) {
		if line, ok := e.(*sinks.Answer); ok {
			line.Title = "" // a message has no name
		}
		sameAnswer(t, got.Answers[i], e)
	}
}

// What a client sends that is no video is refused, with what to do.
func TestAskAboutNonsense(t *testing.T) {
	t.Parallel()
	a := newAsker(t, builtIn)
	film, err := os.ReadFile(ringClip)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		content string
		status  int
		words   string
	}{
		"empty":     {"", 415, "the file is empty"},
		"text":      {"#EXTM3U\nhttp://192.0.2.1/\n", 415, "this is text"},
		"unknown":   {"\x00\x01\x02\x03", 415, "give mp4"},
		"truncated": {string(film[:200]), 422, "the file cannot be decoded"},
		"picture":   {"\x89PNG\r\n\x1a\n\x00\x00", 422, "the file cannot be decoded"},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Ask(t.Context(), api.Caller{}, api.Subject{File: f}, api.Ask{Questions: []string{"what?"}})
		if api.Status(err) != tt.status || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %d %v", name, api.Status(err), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	f, err := os.Open(ringClip)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	none := newReader(streams{decoder: "/nowhere"}, configs.Default().Decode, slog.New(slog.DiscardHandler))
	if err := none.material(t.Context(), f, nil); api.Status(err) != 503 || !strings.Contains(err.Error(), "ask again") {
		t.Errorf("without a decoder: %d %v", api.Status(err), err)
	}
	_, err = a.Ask(t.Context(), api.Caller{}, api.Subject{File: f}, api.Ask{Questions: []string{"what?"}, Search: api.Search{Model: tiny}})
	if api.Status(err) != 422 || !strings.Contains(err.Error(), "this daemon has no model") {
		t.Errorf("a folder for a model: %d %v", api.Status(err), err)
	}
}

// The answer model sees a camera where somebody may ask it, and is opened for no other.
func TestCameraAnswerModel(t *testing.T) {
	t.Parallel()
	m := openModels(t, builtIn, tiny)
	question := []configs.Question{{Name: "person", Text: "is there a person?"}}
	for name, tt := range map[string]struct {
		kept      bool // ring.answers
		answer    string
		questions []configs.Question
		opened    bool
		voice     string
	}{
		"kept":               {true, "", nil, true, "image-clip@"},
		"not kept":           {false, "", nil, false, tiny},
		"asked all the time": {false, "", question, true, "image-clip@"},
		"the same model":     {false, builtIn, nil, true, "demo@"},
	} {
		m.tool.config.Ring.Answers = tt.kept
		config := configs.DefaultCamera()
		config.Name, config.Answer, config.Questions = "door", tt.answer, tt.questions
		camera, err := newCameras(m.tool, m, nil).camera(watched{Camera: config})
		if err != nil {
			t.Fatal(err)
		}
		if camera.Answers != tt.kept || !strings.HasPrefix(camera.Answer.Name, tt.voice) || (camera.Answer.Captioner != nil) != tt.opened {
			t.Errorf("%s: the features are kept: %v; the answer model is %q, opened: %v", name, camera.Answers, camera.Answer.Name, camera.Answer.Captioner != nil)
		}
	}
}

// BenchmarkQuestions measures what questions 2 to 5 about a clip cost, as a part of the first,
// which has the clip decoded and encoded: one after another, and the four in one request. With the
// built-in model, where decoding weighs most, and at git-base's size.
func BenchmarkQuestions(b *testing.B) {
	base := b.TempDir()
	if err := synthetic.Write(base, synthetic.Base(6), 1); err != nil {
		b.Fatal(err)
	}
	shapes, _ := ringQuestions()
	words := []string{"w1000 w1001", "w1001 w1002", "w1002 w1003", "w1003 w1004", "w1004 w1005"}
	for _, bb := range []struct {
		name, checkpoint string
		ask              func(from, to int) api.Ask
	}{
		{"demo", builtIn, func(from, to int) api.Ask { return api.Ask{Questions: shapes[from:to]} }},
		{"base", base, func(from, to int) api.Ask {
			return api.Ask{Questions: words[from:to], Search: api.Search{MaxTokens: 24}}
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			a := newAsker(b, bb.checkpoint)
			a.ask(b, ringClip, bb.ask(0, 1)) // what is done once is not measured
			var first, later, together time.Duration
			ask := func(took *time.Duration, from, to int) {
				begun := time.Now()
				a.ask(b, ringClip, bb.ask(from, to))
				*took += time.Since(begun)
			}
			for b.Loop() {
				a.renew()
				ask(&first, 0, 1)
				for i := range 4 {
					ask(&later, i+1, i+2)
				}
				ask(&together, 1, 5)
			}
			b.ReportMetric(first.Seconds()/float64(b.N), "s/first")
			b.ReportMetric(later.Seconds()/first.Seconds()/4, "later/first")
			b.ReportMetric(together.Seconds()/first.Seconds()/4, "together/first")
		})
	}
}
