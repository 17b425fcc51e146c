package configs

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// home is an environment in which the state folder is known.
func home(more ...string) []string { return append([]string{"HOME=/home/anna"}, more...) }

func load(t testing.TB, env []string, args ...string) (Config, []string, error) {
	t.Helper()
	fs := pflag.NewFlagSet("captiond", pflag.ContinueOnError)
	Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(fs, env)
}

func TestReferenceIsCompleteAndTheDefault(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, home(), "-c", "captiond.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.State = ""
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("captiond.yaml is %+v, the default %+v", c, Default())
	}
	text, err := os.ReadFile("captiond.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var written map[string]any
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "# state:", "state:")), &written); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys() {
		at := any(written)
		for name := range strings.SplitSeq(k.path, ".") {
			section, _ := at.(map[string]any)
			at = section[name]
		}
		if at == nil {
			t.Errorf("captiond.yaml does not mention %s", k.path)
		}
	}
}

func TestGoodFiles(t *testing.T) {
	t.Parallel()
	small := Default()
	small.State = "/var/lib/captiond"
	small.Model.Caption, small.Model.Threads, small.Model.LowMemory = "git-base-vatex", 2, true
	small.NATS.URL, small.NATS.Retention, small.NATS.MaxBytes = "nats://cluster:4222", 36*time.Hour, 500e6
	small.Log.Level = slog.LevelDebug
	empty := Default()
	empty.State = "/home/anna/.local/state/captiond"
	for name, want := range map[string]Config{"small": small, "empty": empty} {
		c, _, err := load(t, home(), "--config", "testdata/good/"+name+".yaml")
		if err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("%s: %+v, %v, want %+v", name, c, err, want)
		}
	}
}

// badFiles says what is to be said about each file of testdata/bad; FILE is its path.
var badFiles = map[string][]string{
	"unknown-key":      {"model.captoin: no such key (in FILE)"},
	"unknown-section":  {"modle: no such key (in FILE)"},
	"case":             {"Model: no such key (in FILE)"},
	"dotted":           {"model.caption: no such key (in FILE)"},
	"empty-value":      {"model.caption: has no value: give one, or remove the line (in FILE)"},
	"section-as-value": {"model: must be a section of keys (in FILE)"},
	"value-as-section": {"state: must be a value, not a section (in FILE)"},
	"bare-duration":    {"nats.retention: must be a duration with a unit, such as 90s or 7d (from FILE)"},
	"bare-size":        {"decode.spool: must be a whole number with a unit, such as 512MiB (from FILE)"},
	"fraction":         {"model.threads: must be a whole number (from FILE)"},
	"number-as-text":   {"model.caption: must be text: put it in quotes (from FILE)"},
	"yes-no":           {"model.low_memory: must be true or false (from FILE)"},
	"list":             {"model.caption: must be text: put it in quotes (from FILE)"},
	"level":            {`log.level: must be debug, info, warn or error, not "verbose" (from FILE)`},
	"beyond-loopback":  {`nats.listen: must be on the loopback interface, such as 127.0.0.1:4222, not "0.0.0.0:4222", unless nats.username and nats.password_file are set (from FILE)`},
	"prefix":           {`nats.prefix: must be 1 to 64 letters, digits, _ or -, not "a.*" (from FILE)`},
	"secret-url":       {"nats.url: must be a URL such as nats://host:4222 (nats, tls, ws or wss) (from FILE)"},
	"duplicate":        {"read configuration FILE: yaml: unmarshal errors:", `  line 2: mapping key "state" already defined at line 1`},
	"two-documents":    {"read configuration FILE: it must be one YAML document"},
	"many": {
		"more: no such key (in FILE)",
		"state: must be text: put it in quotes (from FILE)",
		`model.device: must be auto or cpu or cuda, not "tpu" (from FILE)`,
		`model.precision: must be float32 or int8 or float16, not "int4" (from FILE)`,
		`model.transform: must be huggingface or microsoft or microsoft-vqa, not "other" (from FILE)`,
		"model.threads: must be at least 0 (from FILE)",
		"nats.retention: must be at least 1m (from FILE)",
		"nats.max_bytes: must be at least 1MiB (from FILE)",
		"decode.max_pixels: must be at least 1 (from FILE)",
		"decode.memory: must be at least 2GiB (from FILE)",
		`log.format: must be text or json, not "xml" (from FILE)`,
	},
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) != len(badFiles) {
		t.Fatalf("%d files in testdata/bad, %d in the table: %v", len(files), len(badFiles), err)
	}
	for _, file := range files {
		want := badFiles[strings.TrimSuffix(filepath.Base(file), ".yaml")]
		_, _, err := load(t, home(), "-c", file)
		if got := strings.ReplaceAll(fmt.Sprint(err), file, "FILE"); got != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, strings.Join(want, "\n"))
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := []string{"-c", "testdata/good/small.yaml"} // threads: 2
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		want int
	}{
		{"default", home(), nil, 0},
		{"file", home(), file, 2},
		{"variable over file", home("CAPTIOND_MODEL_THREADS=3"), file, 3},
		{"flag over all", home("CAPTIOND_MODEL_THREADS=3"), append(file, "--model-threads=4"), 4},
		{"empty variable is not set", home("CAPTIOND_MODEL_THREADS="), file, 2},
	} {
		c, _, err := load(t, tt.env, tt.args...)
		if err != nil || c.Model.Threads != tt.want {
			t.Errorf("%s: %d, %v, want %d", tt.name, c.Model.Threads, err, tt.want)
		}
	}
}

func TestShortForms(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, home(), "--model", "a", "--model-answer", "b", "--device", "cpu", "--nats", "nats://h:1",
		"--precision", "float32", "--credentials-file", "f", "--model-low-memory", "--http", "localhost:0")
	m, n := c.Model, c.NATS
	if err != nil || m.Caption != "a" || m.Answer != "b" || m.Device != "cpu" || !m.LowMemory || n.URL != "nats://h:1" || n.CredentialsFile != "f" || c.HTTP.Listen != "localhost:0" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestEveryKeyIsSetFromEverywhere: no key's flag or variable is lost on the way.
func TestEveryKeyIsSetFromEverywhere(t *testing.T) {
	t.Parallel()
	for _, k := range keys() {
		for by, args := range map[string][]string{k.variable(): nil, "--" + k.flag(): {"--" + k.flag() + "=?"}} {
			env := home()
			if args == nil {
				env = home(k.variable() + "=?")
			}
			c, _, err := load(t, env, args...)
			set := err != nil && strings.HasPrefix(err.Error(), k.path+": ") && strings.HasSuffix(err.Error(), "(from "+by+")")
			printed := fmt.Sprintf("%+v", c)
			set = set || strings.Contains(printed, ":?") || strings.Contains(printed, ":"+hidden)
			if !set && !strings.Contains(fmt.Sprint(err), "open ?") {
				t.Errorf("%s: not set by %s: %v", k.path, by, err)
			}
		}
	}
}

func TestUnknownVariableIsRefused(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, home("CAPTIOND_MODLE_DEVICE=cpu", "CAPTIOND_MODEL=x"))
	if err == nil || strings.Count(err.Error(), "no key has this variable") != 2 {
		t.Error(err)
	}
}

func TestStateFolder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  []string
		want string
	}{
		{home("STATE_DIRECTORY=/var/lib/captiond:/other", "XDG_STATE_HOME=/x"), "/var/lib/captiond"},
		{home("XDG_STATE_HOME=/x"), "/x/captiond"},
		{home("XDG_STATE_HOME=relative"), "/home/anna/.local/state/captiond"},
		{home("STATE_DIRECTORY=/a", "CAPTIOND_STATE=/b"), "/b"},
	} {
		if c, _, err := load(t, tt.env); err != nil || c.State != tt.want {
			t.Errorf("%v: %q, %v, want %q", tt.env, c.State, err, tt.want)
		}
	}
	if _, _, err := load(t, nil); err == nil || !strings.Contains(err.Error(), "state: name a folder") {
		t.Error(err)
	}
}

func TestPasswordOnTheCommandLineIsWarnedOf(t *testing.T) {
	t.Parallel()
	_, warnings, err := load(t, home(), "--nats", "nats://anna:hunter2@h:1")
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "--credentials-file") || strings.Contains(warnings[0], "hunter2") {
		t.Errorf("%q, %v", warnings, err)
	}
	_, warnings, err = load(t, home(), "--nats-username", "anna", "--nats-password", "hunter2")
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "--nats-password-file") || strings.Contains(warnings[0], "hunter2") {
		t.Errorf("%q, %v", warnings, err)
	}
	_, warnings, err = load(t, home("CAPTIOND_NATS_URL=nats://anna:hunter2@h:1"))
	if err != nil || len(warnings) != 0 {
		t.Errorf("%q, %v", warnings, err)
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	if _, _, err := load(t, home(), "-c", "nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Error(err)
	}
}
