package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// documented are the code lines of a document that begin with a command, without their comments.
func documented(t *testing.T, document, command string) (all []string) {
	t.Helper()
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ {4}(`+command+` .*?)(?: +#.*)?$`).FindAllSubmatch(b, -1) {
		all = append(all, string(m[1]))
	}
	if len(all) == 0 {
		t.Fatalf("%s has no lines with %s", document, command)
	}
	return all
}

// A host is a daemon that watches a camera and has a folder with what the lines of documents
// name: a clip and a picture.
type host struct {
	*process
	folder string
	camera string // address
	id     string // of a video, once there is one
	token  string // where the lines show one
}

func newHost(t *testing.T, state string) *host {
	t.Helper()
	c, clip := startCamera(t, camera.Options{Scenes: scenes(73)}), newClip(t, 74, 2)
	h := &host{startProcess(t, state, configFile(t, shapesCamera("front-door", c.URL(), "")), "--reach-cameras", "any"), filepath.Dir(clip.path), c.URL(), "", ""}
	if err := os.Rename(clip.path, filepath.Join(h.folder, "clip.mp4")); err != nil {
		t.Fatal(err)
	}
	h.receive(t, nats.From{All: true}, func(e sinks.Event) bool { return e.Kind() == sinks.KindCaption })
	picture := h.get(t, "/v1/cameras/front-door/snapshot.jpg")
	if err := os.WriteFile(filepath.Join(h.folder, "picture.jpg"), []byte(picture), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// shell runs a line in the folder, with a function of the shell in place of its command.
func (h *host) shell(t *testing.T, function, line string) ([]byte, error) {
	t.Helper()
	line = strings.NewReplacer(
		"http://127.0.0.1:8080", h.http, "rtsp://192.168.1.20/stream1", h.camera, "ID", h.id, "captiond_...", h.token,
	).Replace(line)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", function+"\n"+line)
	cmd.Dir = h.folder
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Logf("%s: %v\n%s%s", line, err, errs.String(), out)
	}
	return out, err
}

// The curl lines of the documents do what they say.
func TestDocumentedCurl(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	h := newHost(t, state)
	token := captiond(t, "token", "add", "phone", "--state", state)
	token.want(t, exitDone, "")
	h.token = strings.TrimSpace(token.out)
	for _, line := range slices.Concat(documented(t, "../../README.md", "curl"), documented(t, "../../docs/operate.md", "curl")) {
		endless := strings.HasPrefix(line, "curl -N")
		most := "30"
		if endless {
			most = "5"
		}
		out, err := h.shell(t, `curl() { command curl -sS --fail-with-body --max-time `+most+` "$@"; }`, line)
		switch {
		case endless && !bytes.Contains(out, []byte("\nevent: caption\n")):
			t.Errorf("%s: no caption:\n%s", line, out)
		case !endless && err != nil:
			t.Errorf("%s: %v", line, err)
		case strings.Contains(line, "-F file="):
			var taken struct{ ID string }
			if err := json.Unmarshal(out, &taken); err != nil {
				t.Fatalf("%s: %v:\n%s", line, err, out)
			}
			h.id = taken.ID
			h.ended(t, h.id)
		case strings.Contains(line, "/questions") && !bytes.Contains(out, []byte(`"confidence":`)):
			t.Errorf("%s: no answer:\n%s", line, out)
		case strings.Contains(line, "/test") && !bytes.Contains(out, []byte(`"ok":true`)):
			t.Errorf("%s: no picture:\n%s", line, out)
		}
	}
	h.stop(t)
}

// The nats lines of docs/clients.md are what the daemon understands. What the tool would send
// is sent without it.
func TestDocumentedNATS(t *testing.T) {
	t.Parallel()
	h := newHost(t, t.TempDir())
	h.id = h.upload(t, filepath.Join(h.folder, "clip.mp4"))
	h.ended(t, h.id)
	nc, err := natsio.Connect(h.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	tool := natsTool{nc, js, h.folder}
	for _, line := range documented(t, "../../docs/clients.md", "nats") {
		words, err := h.shell(t, `nats() { printf '%s\0' "$@"; }`, line)
		if err == nil {
			err = tool.run(t.Context(), strings.Split(string(words), "\x00"))
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	h.stop(t)
}

// natsTool does what the nats tool does.
type natsTool struct {
	nc     *natsio.Conn
	js     jetstream.JetStream
	folder string
}

func (n natsTool) run(ctx context.Context, words []string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	switch words[0] {
	case "subscribe":
		return n.subscribe(ctx, words[1])
	case "request":
		return n.request(ctx, words[1], words[2], `"confidence":`)
	}
	switch words[0] + " " + words[1] {
	case "stream view":
		_, err := n.js.Stream(ctx, words[2])
		return err
	case "micro info":
		return n.request(ctx, "$SRV.INFO."+words[2], "", "questions")
	case "object add":
		_, err := n.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: words[2]})
		return err
	case "object put":
		return n.put(ctx, words[2], words[3])
	}
	return fmt.Errorf("nothing is known of %q", words)
}

func (n natsTool) subscribe(ctx context.Context, subject string) error {
	s, err := n.nc.SubscribeSync(subject)
	if err != nil {
		return err
	}
	_, err = s.NextMsgWithContext(ctx)
	return err
}

func (n natsTool) request(ctx context.Context, subject, body, want string) error {
	m, err := n.nc.RequestWithContext(ctx, subject, []byte(body))
	if err != nil {
		return err
	}
	if m.Header.Get("Nats-Service-Error-Code") != "" || !bytes.Contains(m.Data, []byte(want)) {
		return fmt.Errorf("%v %s", m.Header, m.Data)
	}
	return nil
}

func (n natsTool) put(ctx context.Context, bucket, name string) error {
	store, err := n.js.ObjectStore(ctx, bucket)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(n.folder, name))
	if err == nil {
		_, err = store.PutBytes(ctx, name, b)
	}
	return err
}
