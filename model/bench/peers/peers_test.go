package peers

import (
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// startFake has a shell answer in the script's place.
func startFake(t *testing.T, script string) *Peers {
	t.Helper()
	p := &Peers{folder: t.TempDir()}
	if err := p.start(exec.CommandContext(t.Context(), "sh", "-c", script), io.Discard); err != nil {
		t.Fatal(err)
	}
	return p
}

// A conversation with the script: what it says first, then an answer for each command.
func TestPeers(t *testing.T) {
	t.Parallel()
	p := startFake(t, `
echo '{"torch":"2.8.0","threads":2,"ways":{"float32":{"kept":"packed","seconds":{"packed":1.5}},"bfloat16":{"kept":"plain"}}}'
while read -r command rest; do
	case $command in
	run) [ "$rest" = "cached float32" ] && echo '{"seconds":1.25}' ;;
	verify) echo '{"tokens":20,"error":0.000003,"same":true}' ;;
	esac
done`)
	if err := p.read(&p.About); err != nil || p.About.Ways["float32"].Kept != "packed" || p.About.Threads != 2 {
		t.Fatalf("%v, %+v", err, p.About)
	}
	if got, want := p.About.Names(), []string{"cached float32", "plain float32", "cached bfloat16", "transformers"}; !slices.Equal(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
	if got, err := p.Run("cached float32"); err != nil || got != 1.25 {
		t.Errorf("%v s, %v", got, err)
	}
	if c, err := p.Verify(); err != nil || *c != (Check{Tokens: 20, Error: 3e-6, Same: true}) {
		t.Errorf("%+v, %v", c, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// A baseline that computes something else is none.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		`{"tokens":20,"error":0.01,"same":true}`, `{"tokens":20,"error":0,"same":false}`, `{"tokens":20,"error":NaN,"same":true}`,
	} {
		p := startFake(t, "read -r command; echo '"+answer+"'")
		if _, err := p.Verify(); err == nil {
			t.Errorf("%s passes", answer)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The script's own words are on its standard error; the failure is told at once.
func TestScriptThatEnds(t *testing.T) {
	t.Parallel()
	p := startFake(t, "exit 3")
	if err := p.read(&p.About); err == nil || !strings.Contains(err.Error(), "the script ended") {
		t.Errorf("%v", err)
	}
	if err := p.Close(); err == nil {
		t.Error("its exit status is lost")
	}
}

func TestNoInterpreter(t *testing.T) {
	t.Parallel()
	if _, err := Start(t.Context(), Options{Python: "/no/python", Errors: io.Discard}); err == nil || !strings.Contains(err.Error(), "/no/python") {
		t.Errorf("%v", err)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	got := Options{Folder: "weights", Threads: 2, Tokens: 20, Prompt: []int64{7, 8}, ISA: "AVX2"}.arguments("peers.py")
	want := []string{"peers.py", "weights", "--threads", "2", "--tokens", "20", "--prompt", "7,8", "--isa", "AVX2"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The script has no errors that Python finds without running it.
func TestScriptParses(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "python3", "-c", "import ast, sys; ast.parse(sys.stdin.read())")
	command.Stdin = strings.NewReader(string(script))
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
