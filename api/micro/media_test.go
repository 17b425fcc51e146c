package micro_test

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/api/micro"
)

const errNoSpace = syscall.ENOSPC

// bucket makes an object store.
func (c *client) bucket(name string) jetstream.ObjectStore {
	c.t.Helper()
	js, err := jetstream.New(c.conn)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := js.CreateObjectStore(c.t.Context(), jetstream.ObjectStoreConfig{Bucket: name})
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *client) put(b jetstream.ObjectStore, name string, content []byte) {
	c.t.Helper()
	if _, err := b.PutBytes(c.t.Context(), name, content); err != nil {
		c.t.Fatal(err)
	}
}

// What is larger than a message comes as an object, whatever its name, and leaves nothing on
// the disk.
func TestObject(t *testing.T) {
	t.Parallel()
	o := new(oracle)
	c := serve(t, micro.Options{Asker: o, MaxMedia: 4 << 20}, nil)
	b := c.bucket("CAPTIOND_MEDIA")
	clip := bytes.Repeat([]byte("clip "), 800_000) // 4 MB: several chunks
	for _, name := range []string{"clip.mp4", "../../etc/passwd", "a name with spaces and ü"} {
		c.put(b, name, clip)
		m := c.request("captiond.ask", nil, `{"object":"`+name+`","questions":["who?"]}`)
		if was := o.last(); m.Header.Get("Nats-Service-Error") != "" || was.content != string(clip) || was.subject.Title != name {
			t.Errorf("%s: %v %s; %d bytes of %q arrived", name, m.Header, m.Data, len(was.content), was.subject.Title)
		}
	}
	if left, err := os.ReadDir(c.folder); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if m := c.request("captiond.caption", nil, `{"object":"clip.mp4"}`); m.Header.Get("Nats-Service-Error") != "" {
		t.Errorf("%v", m.Header)
	}
}

func TestObjectRefusals(t *testing.T) {
	t.Parallel()
	o := new(oracle)
	c := serve(t, micro.Options{Asker: o, MaxMedia: 1000}, nil)
	b, other := c.bucket("CAPTIOND_MEDIA"), c.bucket("SECRETS")
	c.put(b, "large", make([]byte, 1001))
	c.put(b, "gone", []byte("clip"))
	c.put(b, "damaged", []byte("clip"))
	c.put(other, "secret", []byte("secret"))
	if err := b.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	secret, err := other.GetInfo(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddLink(t.Context(), "link", secret); err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddBucketLink(t.Context(), "folder", other); err != nil {
		t.Fatal(err)
	}
	c.damage("damaged")
	for name, tt := range map[string]struct {
		status int
		words  string
	}{
		"large":   {413, "at most 1000 bytes are taken; upload it"},
		"nowhere": {404, `there is no object "nowhere" in CAPTIOND_MEDIA`},
		"gone":    {404, "there is no object"},
		"link":    {422, `object "link" is in another bucket: put it into CAPTIOND_MEDIA`},
		"folder":  {422, "damaged or none"},
		"damaged": {422, `object "damaged" is damaged or none: put it again`},
	} {
		refusedAs(t, name, c.request("captiond.ask", nil, `{"object":"`+name+`","questions":["who?"]}`), tt.status, tt.words)
	}
	refused(t, c.request("captiond.ask", nats.Header{"Content-Type": {"image/png"}, "Captiond-Question": {"who?"}}, string(make([]byte, 1001))), 413, "at most 1000 bytes")
	if len(o.asked) != 0 {
		t.Errorf("%+v was asked", o.asked)
	}
}

// damage puts other bytes in the place of an object's.
func (c *client) damage(name string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	js, err := jetstream.New(c.conn)
	if err != nil {
		c.t.Fatal(err)
	}
	stream, err := js.Stream(ctx, "OBJ_CAPTIOND_MEDIA")
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := js.ObjectStore(ctx, "CAPTIOND_MEDIA")
	if err != nil {
		c.t.Fatal(err)
	}
	info, err := b.GetInfo(ctx, name)
	if err != nil {
		c.t.Fatal(err)
	}
	subject := "$O.CAPTIOND_MEDIA.C." + info.NUID
	chunk, err := stream.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := stream.DeleteMsg(ctx, chunk.Sequence); err != nil {
		c.t.Fatal(err)
	}
	if _, err := js.Publish(ctx, subject, []byte("clap")); err != nil {
		c.t.Fatal(err)
	}
}

// A server without JetStream has no objects; all else works.
func TestNoJetStream(t *testing.T) {
	t.Parallel()
	c := serve(t, micro.Options{}, withoutJetStream)
	refused(t, c.request("captiond.ask", nil, `{"object":"clip.mp4","questions":["who?"]}`), 503, "no JetStream")
	if m := c.request("captiond.ask", nil, question); m.Header.Get("Nats-Service-Error") != "" {
		t.Errorf("%v", m.Header)
	}
}

func withoutJetStream(o *server.Options) { o.JetStream = false }
