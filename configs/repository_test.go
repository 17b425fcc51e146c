package configs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// These tests read the repository as a visitor does: what it says must be so.

const root = ".."

// files calls use for every file of the repository that people write, with its path and text.
func files(t *testing.T, use func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains([]string{".git", ".tools", "bin", "lib"}, d.Name())):
			return filepath.SkipDir
		case d.IsDir() || !slices.Contains([]string{".go", ".md", ".yml", ".yaml", ".sh", ".py", "", ".mod"}, filepath.Ext(path)):
			return nil
		}
		text, err := os.ReadFile(path)
		use(path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadme(t *testing.T) {
	t.Parallel()
	text := read(t, "README.md")
	if n := strings.Count(text, "\n"); n > 250 {
		t.Errorf("README.md has %d lines, more than 250", n)
	}
	for _, want := range []string{"make demo", "make test"} {
		if !strings.Contains(text, want) {
			t.Errorf("README.md does not name %s", want)
		}
	}
	for _, k := range keys() {
		if !strings.Contains(text, "`"+k.path+"`") {
			t.Errorf("README.md does not name the key %s", k.path)
		}
	}
	targets := read(t, "Makefile")
	for _, m := range regexp.MustCompile(`\bmake ([a-z]+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(targets, "\n"+m[1]+":") {
			t.Errorf("README.md names make %s, which is not in the Makefile", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("README.md: %v", err)
		}
	}
}

// TestNothingNamesThisMachine: the repository serves those who have nothing but it.
func TestNothingNamesThisMachine(t *testing.T) {
	t.Parallel()
	// In pieces: this file must pass, too.
	foreign := regexp.MustCompile(strings.Join([]string{
		`/wo` + `rk/`, `/tmp/v` + `env`, `/ho` + `me/[a-z]+/src`,
		`registry\.np` + `mjs`, `py` + `pi\.org`, `pythonho` + `sted`, `proxy\.gol` + `ang`, `crat` + `es\.io`, `deb\.deb` + `ian`,
	}, "|"))
	files(t, func(path, text string) {
		if m := foreign.FindString(text); m != "" {
			t.Errorf("%s names %s", path, m)
		}
	})
}

func TestSizes(t *testing.T) {
	t.Parallel()
	files(t, func(path, text string) {
		if filepath.Ext(path) != ".go" {
			return
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			return
		}
		if n := strings.Count(text, "\n"); n > 500 && !ast.IsGenerated(file) {
			t.Errorf("%s has %d lines, more than 500", path, n)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > 80 {
					t.Errorf("%s: %s has %d lines, more than 80", path, f.Name.Name, n)
				}
			}
		}
	})
}

type service struct {
	Image       string
	Build       string
	User        string
	ReadOnly    bool `yaml:"read_only"`
	Entrypoint  []string
	Volumes     []string
	Healthcheck map[string]any
	DependsOn   map[string]map[string]string `yaml:"depends_on"`
}

// documented are mounted folders that the user brings.
func documented() []string { return []string{"./videos"} }

func TestCompose(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]service
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &compose); err != nil {
		t.Fatal(err)
	}
	if len(compose.Services) < 2 {
		t.Fatalf("services: %v", compose.Services)
	}
	pinned := regexp.MustCompile(`^[a-z0-9./-]+:([0-9]+\.[0-9]+\.[0-9]+\S*|local)$`)
	for name, s := range compose.Services {
		if !pinned.MatchString(s.Image) || (s.Build == "" && strings.HasSuffix(s.Image, ":local")) {
			t.Errorf("%s: image %q is not pinned", name, s.Image)
		}
		if !s.ReadOnly || s.User == "" || strings.HasPrefix(s.User, "0") {
			t.Errorf("%s runs as %q, read-only root %v", name, s.User, s.ReadOnly)
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, named := compose.Volumes[from]
			if !named && !(slices.Contains(documented(), from) && strings.Contains(read(t, "README.md"), from)) {
				t.Errorf("%s mounts %s, which is neither a volume nor documented", name, from)
			}
		}
		for other := range s.DependsOn {
			if compose.Services[other].Healthcheck == nil {
				t.Errorf("%s waits for %s, which has no health check", name, other)
			}
		}
		checkFlags(t, name, strings.Join(s.Entrypoint, " "))
	}
}

// checkFlags: the configuration's flags exist; those of the commands are cmd's to test.
func checkFlags(t *testing.T, name, line string) {
	t.Helper()
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	Flags(set)
	own := []string{"output", "out-dir"}
	for _, m := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(line, -1) {
		if set.Lookup(m[1]) == nil && !slices.Contains(own, m[1]) {
			t.Errorf("%s: no flag --%s", name, m[1])
		}
	}
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := read(t, "Dockerfile")
	bases := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(text, -1)
	if len(bases) != 2 {
		t.Fatalf("stages: %v", bases)
	}
	for _, b := range bases {
		if !regexp.MustCompile(`^[a-z/]+:[0-9]`).MatchString(b[1]) {
			t.Errorf("%s is not pinned by tag", b[1])
		}
	}
	final := text[strings.LastIndex(text, "FROM"):]
	if !regexp.MustCompile(`(?m)^USER [1-9]`).MatchString(final) || !strings.Contains(final, `ENTRYPOINT ["captiond"]`) {
		t.Error("the image must run captiond, and not as root")
	}
	env := map[string]bool{}
	for _, k := range keys() {
		env[k.variable()] = true
	}
	for _, v := range regexp.MustCompile(`CAPTIOND_[A-Z_]+`).FindAllString(text, -1) {
		if !env[v] {
			t.Errorf("no key has the variable %s", v)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^COPY ([a-z][a-z.]*) `).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Error(err)
		}
	}
}
