package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	server := startBroker(t)
	got := captiond(t, "doctor", "--nats", server.URL())
	got.want(t, exitDone, "")
	for _, line := range []string{
		"ok    onnx runtime  1.27.0", "ok    device        cpu", "ok    model         demo@",
		"decoder       FFmpeg 5.1.", "ok    sandbox       seccomp, Landlock ABI", "ok    opencv        4.6.", "ok    state", "JetStream is there",
	} {
		if !strings.Contains(got.out, line) {
			t.Errorf("no %q in\n%s", line, got.out)
		}
	}
}

func TestDoctorWithoutRuntime(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "libonnxruntime.so")
	wrong := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(wrong, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for library, want := range map[string]string{none: "is not a file", wrong: "make deps"} {
		// A process of its own: this one has loaded the right library.
		cmd := exec.Command(decoder, "doctor", "--model-library", library)
		cmd.Env = []string{"HOME=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
			t.Errorf("doctor with %s: %v", library, err)
		}
		for _, line := range []string{"FAIL  onnx runtime", want, "decoder       FFmpeg", "3 checks failed"} {
			if !strings.Contains(string(out), line) {
				t.Errorf("no %q in\n%s", line, out)
			}
		}
	}
}

func TestUnpatched(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"5.1.9-0+deb12u1": true, "5.1.10": false, "5.1.10-0+deb12u1": false, "6.1": false, "n": false} {
		if got := unpatched(version); got != want {
			t.Errorf("unpatched(%q) is %v", version, got)
		}
	}
}

func TestModelImportListVerifyRemove(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	captiondAt := func(args ...string) outcome { return captiond(t, append(args, "--state", state)...) }
	const folder = "../../model/testdata/video-six"
	captiondAt("model", "import", folder, "--name", "six").want(t, exitDone, "")
	captiondAt("model", "import", folder, "--name", "six").want(t, exitFailed, "the name is taken")
	captiondAt("model", "import", t.TempDir()).want(t, exitFailed, "no config.json")
	if got := captiondAt("model", "list"); !strings.Contains(got.out, "\nsix ") || !strings.Contains(got.out, "\ndemo ") {
		t.Errorf("list prints\n%s", got.out)
	}
	got := captiondAt("model", "verify", "six")
	got.want(t, exitDone, "")
	if strings.Count(got.out, "ok  ") != 2 {
		t.Errorf("verify prints\n%s", got.out)
	}
	captiondAt("model", "verify", "demo").want(t, exitDone, "")
	captiondAt("model", "verify", "demo", "--image", "../../demo/picture.png").want(t, exitFailed, "none were published for demo")
	captiondAt("model", "verify", "other").want(t, exitFailed, "model list")
	captiondAt("caption", shapes, "--model", "six", "--whole").want(t, exitDone, "")
	captiondAt("model", "remove", "six").want(t, exitDone, "")
	captiondAt("caption", shapes, "--model", "six").want(t, exitFailed, "model not found")
}

// A public checkpoint's name is enough for its figures; random weights are not its own.
func TestModelVerifyLogits(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "git-base-coco")
	if err := os.CopyFS(folder, os.DirFS("../../model/testdata/image-clip")); err != nil {
		t.Fatal(err)
	}
	captiond(t, "model", "verify", folder, "--image", "../../demo/picture.png").want(t, exitFailed, "published [-0.9925 -0.9930 -0.9935]")
}
