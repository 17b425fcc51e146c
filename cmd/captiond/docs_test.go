package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commandLine finds a command as documents write it: at the beginning of a code line, after
// backquotes, or in the compose file's entry point.
var commandLine = regexp.MustCompile("(?m)(?:^ {2,}|`|exec )(captiond(?: [^`#\\n|>\"]+(?:\"[^\"\\n]*\"[^`#\\n|>\"]*)*)?)")

// Every command and flag that a document names exists.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../../README.md", "../../docker-compose.yml")
	root := newRoot(streams{})
	n := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range commandLine.FindAllStringSubmatch(string(b), -1) {
			n++
			checkCommand(t, root, file, m[1])
		}
	}
	if n < 20 {
		t.Errorf("only %d commands were found in %v", n, files)
	}
}

func checkCommand(t *testing.T, root *cobra.Command, file, line string) {
	t.Helper()
	words := strings.Fields(line)[1:]
	cmd, rest, err := root.Find(words)
	if err != nil {
		t.Errorf("%s: %q: %v", file, line, err)
		return
	}
	if cmd == root && len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		t.Errorf("%s: %q is no command", file, line)
	}
	for _, word := range rest {
		name, _, _ := strings.Cut(word, "=")
		switch {
		case strings.HasPrefix(name, "--") && cmd.Flag(name[2:]) == nil,
			len(name) == 2 && name[0] == '-' && cmd.Flags().ShorthandLookup(name[1:]) == nil:
			t.Errorf("%s: %q: %s has no flag %s", file, line, cmd.CommandPath(), name)
		}
	}
}
