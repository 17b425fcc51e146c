package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// kill -9 of the daemon, 20 times while live: what was received is there once.
func TestServeKilled(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(11)})
	state, config := t.TempDir(), configFile(t, shapesCamera("door", c.URL(), ""))
	received := map[string]bool{}
	for round := range 20 {
		p := startProcess(t, state, config)
		n := 0
		p.receive(t, nats.From{}, func(e sinks.Event) bool {
			if received[e.Head().ID] {
				t.Errorf("%s came twice", e.Head().ID)
			}
			received[e.Head().ID] = true
			n++
			return n > 1+round%4
		})
		p.end(t, syscall.SIGKILL)
	}
	p := startProcess(t, state, config)
	stored := map[string]int{}
	before := time.Now().UnixMilli()
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		stored[e.Head().ID]++
		return e.Kind() == sinks.KindCaption && e.Head().Epoch > before
	})
	for id := range received {
		if stored[id] != 1 {
			t.Errorf("%s is there %d times", id, stored[id])
		}
	}
	if status := p.end(t, syscall.SIGTERM); status != exitDone {
		t.Errorf("status %d after SIGTERM:\n%s", status, p.log)
	}
}

// A decode child that is killed costs its camera a gap, and the other camera nothing. It runs before
// those in parallel: the gap is 1.5 to 1.8 s alone, and was 5.5 s beside them on a busy machine.
func TestServeChildKilled(t *testing.T) {
	one, two := startCamera(t, camera.Options{Scenes: scenes(12)}), startCamera(t, camera.Options{Scenes: scenes(13)})
	p := startProcess(t, t.TempDir(), configFile(t, shapesCamera("one", one.URL(), ""), shapesCamera("two", two.URL(), "")))
	epochs := map[string]map[int64]int{"one": {}, "two": {}}
	killed := false
	var gap *sinks.Gap
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		if g, ok := e.(*sinks.Gap); ok {
			gap = g
		}
		if e.Kind() != sinks.KindCaption {
			return false
		}
		of := epochs[e.Head().Source]
		of[e.Head().Epoch]++
		if !killed && len(epochs["one"]) == 1 && len(epochs["two"]) == 1 {
			killed = true
			killChild(t, p.cmd.Process.Pid)
		}
		return killed && len(epochs["one"])+len(epochs["two"]) == 3 && epochs["one"][e.Head().Epoch]+epochs["two"][e.Head().Epoch] > 3
	})
	if gap == nil || gap.Reason != sinks.GapDisconnected || gap.End-gap.Start > 5000 || len(epochs[gap.Source]) != 2 {
		t.Errorf("gap %+v, epochs %v", gap, epochs)
	}
	if status := p.end(t, syscall.SIGTERM); status != exitDone {
		t.Errorf("status %d after SIGTERM:\n%s", status, p.log)
	}
}

// A camera that goes away and comes back: its outage shows within 12 s, and is healed within 15 s.
func TestServeOutage(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	first, err := camera.Start(camera.Options{Scenes: scenes(14)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- first.Run(ctx) }()
	address := strings.TrimSuffix(strings.TrimPrefix(first.URL(), "rtsp://"), "/shapes")
	p := startProcess(t, t.TempDir(), configFile(t, shapesCamera("door", first.URL(), "")))
	var gone, back time.Time
	var seen, healed time.Duration
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		switch e := e.(type) {
		case *sinks.Caption:
			if gone.IsZero() {
				gone = time.Now()
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		case *sinks.Status:
			switch {
			case e.State == sinks.StateStalled && seen == 0:
				seen = time.Since(gone)
				back = time.Now()
				startCamera(t, camera.Options{Address: address, Scenes: scenes(14)})
			case e.State == sinks.StateLive && !back.IsZero():
				healed = time.Since(back)
				return true
			}
		}
		return false
	})
	if seen > 12*time.Second || healed > 15*time.Second {
		t.Errorf("seen after %v, healed %v after the return", seen, healed)
	}
	var ready struct {
		OK      bool
		Cameras map[string]struct{ State string }
	}
	if err := json.Unmarshal([]byte(p.get(t, "/readyz")), &ready); err != nil || !ready.OK || ready.Cameras["door"].State != "live" {
		t.Errorf("/readyz: %+v, %v", ready, err)
	}
	if m := p.get(t, "/metrics"); !strings.Contains(m, `captiond_reconnects_total{source="door"} `) || !strings.Contains(m, "captiond_latency_seconds_count") {
		t.Errorf("/metrics:\n%s", m)
	}
	p.end(t, syscall.SIGTERM)
}

// A wrong password is a state of its own, and no log or event tells a password.
func TestServeWrongPassword(t *testing.T) {
	t.Parallel()
	const canary = "c%21n@ry#!"
	c := startCamera(t, camera.Options{Scenes: scenes(15), Username: "viewer", Password: "right"})
	p := startProcess(t, t.TempDir(), configFile(t,
		shapesCamera("locked", c.URL(), ", username: viewer, password: '"+canary+"'"), shapesCamera("open", c.URL(), ", username: viewer, password: right")))
	told := map[string]bool{}
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		b, err := sinks.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		checkSilent(t, string(b), canary)
		if s, ok := e.(*sinks.Status); ok {
			told[s.Source+" "+string(s.State)] = true
		}
		return told["locked wrong-password"] && told["open live"]
	})
	checkSilent(t, p.get(t, "/metrics")+p.get(t, "/readyz"), canary)
	p.end(t, syscall.SIGTERM)
	checkSilent(t, p.log.String(), canary)
}

func checkSilent(t *testing.T, text, canary string) {
	t.Helper()
	for _, secret := range []string{canary, "c!n@ry", "Authorization"} {
		if strings.Contains(text, secret) {
			t.Errorf("a password is told:\n%s", text)
		}
	}
}

// SIGHUP: a camera that is new starts, one that is gone stops, the one that stays does not
// notice; a broken file changes nothing.
func TestServeReload(t *testing.T) {
	t.Parallel()
	stays, comes, goes := startCamera(t, camera.Options{Scenes: scenes(16)}), startCamera(t, camera.Options{Scenes: scenes(17)}), startCamera(t, camera.Options{Scenes: scenes(18)})
	config := configFile(t, shapesCamera("stays", stays.URL(), ""), shapesCamera("goes", goes.URL(), ""))
	p := startProcess(t, t.TempDir(), config)
	rewrite := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]int{}
	step := 0
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		what := e.Head().Source + " " + string(e.Kind())
		if s, ok := e.(*sinks.Status); ok {
			what = s.Source + " " + string(s.State)
		}
		told[what]++
		switch {
		case step == 0 && told["stays caption"] > 2 && told["goes caption"] > 2:
			rewrite("cameras: [{name: stays}]\n")
			step++
		case step == 1 && strings.Contains(p.log.String(), "configuration is kept"):
			rewrite("cameras:\n" + shapesCamera("stays", stays.URL(), "") + shapesCamera("comes", comes.URL(), ""))
			step++
		}
		return step == 2 && told["goes stopped"] == 1 && told["comes caption"] > 1
	})
	if told["stays live"] != 1 || told["stays gap"]+told["stays reset"]+told["stays stopped"] != 0 || stays.Sessions() != 1 {
		t.Errorf("the camera that stays noticed: %v", told)
	}
	if status := p.end(t, syscall.SIGTERM); status != exitDone {
		t.Errorf("status %d after SIGTERM:\n%s", status, p.log)
	}
}

// The broker is killed and comes back: decoding goes on, and every event arrives once, in order.
func TestServeBrokerAway(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(20)})
	store := t.TempDir()
	server, err := nats.Start(nats.ServerOptions{StoreDir: store, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	url := server.URL()
	p := startProcess(t, t.TempDir(), configFile(t, shapesCamera("door", c.URL(), "")), "--nats", url)
	p.nats = url
	waitCaptions(t, p, 5)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	waitCaptions(t, p, 25)
	server, err = nats.Start(nats.ServerOptions{StoreDir: store, Listen: strings.TrimPrefix(url, "nats://")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	next, captions := map[int64]int64{}, 0
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		h := e.Head()
		if h.Seq != next[h.Epoch] {
			t.Errorf("epoch %d: number %d after %d", h.Epoch, h.Seq, next[h.Epoch]-1)
		}
		next[h.Epoch] = h.Seq + 1
		if e.Kind() == sinks.KindCaption {
			captions++
		}
		return captions >= 30
	})
	p.end(t, syscall.SIGTERM)
}

// One RTP packet of twenty is lost, at random: what is damaged is not shown, and captions go on.
func TestServeLoss(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(21), Loss: 0.05})
	p := startProcess(t, t.TempDir(), configFile(t, shapesCamera("door", c.URL(), "")))
	begun, captions, right, total := time.Time{}, 0, 0, 0
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		said, ok := e.(*sinks.Caption)
		if !ok {
			return false
		}
		if begun.IsZero() {
			begun = time.Now()
		}
		captions++
		if truth, ok := c.Truth(said.StartTime.Time, said.EndTime.Time); ok && said.End-said.Start >= 1500 {
			total++
			if truth.Caption == said.Text {
				right++
			}
		}
		return time.Since(begun) > 15*time.Second
	})
	m := p.get(t, "/metrics")
	if strings.Contains(m, `captiond_lost_packets_total{source="door"} 0`) || !strings.Contains(m, `captiond_reconnects_total{source="door"} 0`) {
		t.Errorf("/metrics:\n%s", m)
	}
	if captions < 12 || 10*right < 7*total { // after a loss nothing is shown until the next key frame
		t.Errorf("%d captions in 15 s, %d of %d right", captions, right, total)
	}
	p.end(t, syscall.SIGTERM)
}

// Asked once, the daemon waits a while for a broker that is away; asked twice, it ends at once.
func TestServeAskedTwice(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(22)})
	p := startProcess(t, t.TempDir(), configFile(t, shapesCamera("door", c.URL(), "")), "--nats", "nats://127.0.0.1:9")
	waitCaptions(t, p, 2)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(p.log.String(), "captiond stops") {
		<-time.After(10 * time.Millisecond)
	}
	begun := time.Now()
	if status := p.end(t, syscall.SIGTERM); status != exitDone || time.Since(begun) > lastWords/2 {
		t.Errorf("status %d, %v after the second signal", status, time.Since(begun))
	}
}

func TestServeCheck(t *testing.T) {
	t.Parallel()
	good := configFile(t, shapesCamera("door", "rtsp://192.0.2.1/x", ""))
	if got := captiond(t, "serve", "-c", good, "--check"); got.status != exitDone || !strings.Contains(got.out, "1 cameras") {
		t.Errorf("%+v", got)
	}
	captiond(t, "serve", "-c", configFile(t, shapesCamera("door", "rtsp://192.0.2.1/x", ", captoin: x")), "--check").want(t, exitUsage, "cameras[0].captoin: no such key")
	captiond(t, "serve", "-c", good, "--check", "--model", "/none").want(t, exitUsage, "/none")
}

// captiond caption rtsp:// captions until interrupted.
func TestCaptionCamera(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(19), Username: "viewer", Password: "s3cret"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, w := io.Pipe()
	status := make(chan int, 1)
	log := new(lockedBuffer)
	go func() {
		address := strings.Replace(c.URL(), "rtsp://", "rtsp://viewer:s3cret@", 1)
		status <- captiondTo(t, ctx, nil, w, log, "caption", address, "--every", "2s", "-o", "jsonl")
		_ = w.Close()
	}()
	captions := 0
	for s := bufio.NewScanner(r); s.Scan(); {
		e, err := sinks.Decode(s.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind() == sinks.KindCaption {
			if captions++; captions == 2 {
				cancel()
			}
			if !strings.HasPrefix(e.Head().Source, "live-") {
				t.Errorf("source %s", e.Head().Source)
			}
		}
		checkSilent(t, s.Text(), "s3cret")
	}
	if got := <-status; got != exitInterrupted || captions < 2 {
		t.Errorf("status %d after %d captions:\n%s", got, captions, log)
	}
	checkSilent(t, log.String(), "s3cret")
}
