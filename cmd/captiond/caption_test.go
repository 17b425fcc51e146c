package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/captiond/captiond/sinks"
)

// events decodes the lines of -o jsonl.
func events(t *testing.T, out string) (es []sinks.Event) {
	t.Helper()
	for line := range strings.Lines(out) {
		e, err := sinks.Decode([]byte(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		es = append(es, e)
	}
	return es
}

func TestCaptionFormats(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string // a regular expression for all of standard output
	}{
		{[]string{"--every", "4s"}, `^\[00:00:00\.000 --> 00:00:04\.000\] a red circle moves right\n` +
			`\[00:00:04\.000 --> 00:00:08\.000\] a blue square moves up\n\[00:00:08\.000 --> 00:00:12\.000\] a yellow ring grows\n$`},
		{[]string{"--scenes"}, `^\[00:00:00\.000 --> 00:00:04\.000\] a red circle moves right\n` +
			`\[00:00:04\.000 --> 00:00:08\.000\] a blue square moves up\n\[00:00:08\.000 --> 00:00:12\.000\] a yellow ring grows\n$`},
		{[]string{"--scenes", "--from", "5s", "--to", "9s"}, `^\[00:00:05\.000 --> 00:00:08\.000\] [a-z ]+\n\[00:00:08\.000 --> 00:00:09\.000\] [a-z ]+\n$`},
		{[]string{"--whole"}, `^\[00:00:00\.000 --> 00:00:12\.000\] [a-z ]+\n$`},
		{[]string{"--from", "5s", "--to", "9s"}, `^\[00:00:05\.000 --> 00:00:09\.000\] [a-z ]+\n$`},
		{[]string{"-o", "vtt", "--every", "6s"}, `^WEBVTT\n\n00:00:00\.000 --> 00:00:06\.000\n[a-z ]+\n\n00:00:06\.000 --> 00:00:12\.000\n[a-z ]+\n\n$`},
		{[]string{"-o", "srt", "--whole", "--beam", "4"}, `^1\n00:00:00,000 --> 00:00:12,000\n[a-z ]+\n\n$`},
		{[]string{"-o", "jsonl", "--whole", "--view", "squash"}, `^{"schema":"captiond\.caption\.v1",.*"frames":\[1,3,5,7,9,11\].*}\n$`},
		{[]string{"-o", "jsonl", "--whole", "--max-tokens", "3"}, `"truncated":true`},
		{[]string{"-o", "jsonl", "--whole", "--model", "../../model/testdata/image-clip"}, `"frames":\[6\],.*"model":"image-clip@[0-9a-f]{12}"`},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			got := captiond(t, append([]string{"caption", shapes}, tt.args...)...)
			got.want(t, exitDone, "")
			if !regexp.MustCompile(tt.want).MatchString(got.out) {
				t.Errorf("standard output is\n%swant %s", got.out, tt.want)
			}
		})
	}
}

func TestCaptionSeveralInputs(t *testing.T) {
	t.Parallel()
	got := captiond(t, "caption", shapes, "../../demo/picture.png", "--whole")
	got.want(t, exitDone, "")
	want := `^==> shapes\.mp4 <==\n\[00:00:00\.000 --> 00:00:12\.000\] [a-z ]+\n==> picture\.png <==\na blue square and a red circle\n$`
	if !regexp.MustCompile(want).MatchString(got.out) {
		t.Errorf("standard output is\n%swant %s", got.out, want)
	}
}

// What a stranger may send: each gives one line that says what is wrong, and no dump.
func TestCaptionHostileFiles(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"absurd.avi": "decode", "huge.mp4": "decode", "magicyuv.avi": "decode", "ffv1.mkv": "decode",
		"audio.mp4": "no video", "cover-only.mp4": "no video", "nomoov.mp4": "decode",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			got := captiond(t, "caption", "../../frames/ffmpeg/testdata/"+file)
			got.want(t, exitFailed, want)
			if strings.Count(got.errors, "captiond: ") != 1 || strings.Contains(got.errors, "goroutine") {
				t.Errorf("standard error:\n%s", got.errors)
			}
		})
	}
}

func TestCaptionIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	latency := regexp.MustCompile(`"latency_ms":\d+`)
	first := captiond(t, "caption", shapes, "-o", "jsonl", "--every", "2s")
	again := captiond(t, "caption", shapes, "-o", "jsonl", "--every", "2s", "--model-threads", "1")
	if a, b := latency.ReplaceAllString(first.out, ""), latency.ReplaceAllString(again.out, ""); a != b || a == "" {
		t.Errorf("first\n%sthen\n%s", a, b)
	}
}

func TestCaptionStandardInput(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	clip, err := os.ReadFile(shapes)
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() {
		_, err := w.Write(clip)
		written <- errors.Join(err, w.Close())
	}()
	piped := captiondWith(t, t.Context(), r, "caption", "-", "-o", "jsonl", "--whole")
	piped.want(t, exitDone, "")
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	named := captiond(t, "caption", shapes, "-o", "jsonl", "--whole")
	if a, b := events(t, piped.out)[0].Head(), events(t, named.out)[0].Head(); a.ID != b.ID {
		t.Errorf("piped %+v, by name %+v", a, b)
	}
}

func TestCaptionOutDir(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "captions")
	cut := truncated(t, shapes, 20_000)
	got := captiond(t, "caption", shapes, "nothing.mp4", cut, "--out-dir", dir, "-o", "vtt", "--every", "4s")
	got.want(t, exitFailed, "2 of 3 inputs failed")
	for file, cues := range map[string]int{"shapes.vtt": 3, "cut.vtt": 2} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || bytes.Count(b, []byte("-->")) != cues {
			t.Errorf("%s: %v, %q; want %d cues", file, err, b, cues)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.partial"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	captiond(t, "caption", shapes, "--out-dir", dir, "-o", "vtt").want(t, exitDone, "result is there already")
	captiond(t, "caption", shapes, "--out-dir", dir, "-o", "vtt", "--whole", "--force").want(t, exitDone, "")
	if b, err := os.ReadFile(filepath.Join(dir, "shapes.vtt")); err != nil || bytes.Count(b, []byte("-->")) != 1 {
		t.Errorf("with --force: %v, %q", err, b)
	}
}

func truncated(t *testing.T, file string, size int) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.mp4")
	if err := os.WriteFile(cut, b[:size], 0o600); err != nil {
		t.Fatal(err)
	}
	return cut
}

func TestCaptionBadInput(t *testing.T) {
	t.Parallel()
	write := func(name, content string) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ input, want string }{
		"missing":      {"nothing.mp4", "no such file"},
		"folder":       {t.TempDir(), "this is a folder"},
		"empty":        {write("empty.mp4", ""), "the file is empty"},
		"not a video":  {write("random.mp4", "\x01\x02\x03\xff\xfe\x00abcdefghijklmnop"), "captiond: open"},
		"playlist":     {write("list.mp4", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), "this is text"},
		"device":       {"/dev/zero", "this is a device"},
		"silent pipe":  {pipe, "nothing came"},
		"cut off":      {truncated(t, shapes, 20_000), "cut off"},
		"header alone": {truncated(t, shapes, 40), "decode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := captiond(t, "caption", tt.input)
			got.want(t, exitFailed, tt.want)
			if lines := strings.Count(got.errors, "captiond: "); lines != 1 {
				t.Errorf("%d lines of error:\n%s", lines, got.errors)
			}
		})
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"caption"}, "at least 1 arg"},
		{[]string{"nothing"}, "unknown command"},
		{[]string{"caption", "a.mp4", "--nothing"}, "unknown flag"},
		{[]string{"caption", "a.mp4", "-o", "pdf"}, "use one of text, jsonl, vtt, srt"},
		{[]string{"caption", "a.mp4", "b.mp4", "-o", "vtt"}, "--out-dir"},
		{[]string{"caption", "a/x.mp4", "b/x.mkv", "--out-dir", t.TempDir()}, "would both be written"},
		{[]string{"caption", "a.mp4", "--whole", "--every", "2s"}, "give one of them"},
		{[]string{"caption", "a.mp4", "--scenes", "--every", "2s"}, "give one of them"},
		{[]string{"caption", "a.mp4", "--scenes", "--whole"}, "give one of them"},
		{[]string{"caption", "rtsp://192.0.2.10/stream1", "--scenes"}, "--scenes is for files"},
		{[]string{"caption", "a.mp4", "--every", "1ms"}, "too short"},
		{[]string{"caption", "a.mp4", "--from", "5s", "--to", "2s"}, "--to must come after --from"},
		{[]string{"caption", "a.mp4", "--beam", "0"}, "use 1 to 64"},
		{[]string{"caption", "a.mp4", "--view", "round"}, "read view"},
		{[]string{"caption", "a.mp4", "--model-device", "abacus"}, "model.device"},
		{[]string{"ask", "a.mp4"}, "at least 2 arg"},
		{[]string{"ask", "a.mp4", ""}, "a question is empty"},
		{[]string{"ask", "a.mp4", "what?", "-o", "srt"}, "answers are no subtitles"},
		{[]string{"bench", "--shape", "round", "--rounds", "0"}, "use base, large, base-coco, base-vqav2"},
		{[]string{"model", "verify"}, "accepts 1 arg"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			captiond(t, tt.args...).want(t, exitUsage, tt.want)
		})
	}
}

// failing is a writer that has no room.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestResultsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"disk full": syscall.ENOSPC, "broken pipe": syscall.EPIPE} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var errs bytes.Buffer
			status := captiondTo(t, t.Context(), nil, failing{cause}, &errs, "caption", shapes, "-o", "jsonl")
			if want := "captiond: write result:"; status != exitFailed || !strings.Contains(errs.String(), want) ||
				strings.Count(errs.String(), cause.Error()) != 1 {
				t.Errorf("status %d, standard error\n%s", status, errs.String())
			}
		})
	}
}

// stopping cancels a context when the first result is written.
type stopping struct {
	io.Writer
	stop context.CancelFunc
}

func (s stopping) Write(b []byte) (int, error) {
	defer s.stop()
	return s.Writer.Write(b)
}

func TestInterruptedCaptionIsValidAsFarAsItGoes(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	status := captiondTo(t, ctx, nil, stopping{&out, stop}, &errs, "caption", shapes, "-o", "jsonl", "--every", "1s")
	if status != exitInterrupted || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("status %d, standard error\n%s", status, errs.String())
	}
	if n := len(events(t, out.String())); n < 1 || n > 11 {
		t.Errorf("%d captions were written", n)
	}
}
