package wordpiece

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// golden is what the reference made of the texts with one vocabulary (testdata/gen.py).
type golden struct {
	Encode []struct {
		Text string
		IDs  []int64
		Slow bool // BERT's tokenizer in Python agrees with the Rust crate
	}
	Decode []struct {
		IDs   []int64
		Texts [4]string
	}
}

type goldenFile struct {
	Vocab      golden `json:"vocab.txt"`
	Tokenizer  golden `json:"tokenizer.json"`
	Cased      golden `json:"cased.json"`
	Accents    golden `json:"accents"`
	Characters struct {
		Skipped [][2]rune // first and last
		Blocks  []string
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readGoldens(t *testing.T) goldenFile {
	t.Helper()
	var g goldenFile
	if err := json.Unmarshal(readFile(t, "golden.json"), &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func open(t testing.TB, f Files) *Vocab {
	t.Helper()
	v, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGolden(t *testing.T) {
	t.Parallel()
	g := readGoldens(t)
	vocab, full := readFile(t, "vocab.txt"), readFile(t, "tokenizer.json")
	config := func(s string) []byte { return []byte(s) }
	for name, c := range map[string]struct {
		files Files
		want  golden
	}{
		"vocab.txt":      {Files{VocabTxt: vocab}, g.Vocab},
		"tokenizer.json": {Files{TokenizerJSON: full}, g.Tokenizer},
		"both":           {Files{TokenizerJSON: full, VocabTxt: vocab}, g.Tokenizer},
		"cased.json":     {Files{TokenizerJSON: readFile(t, "cased.json")}, g.Cased},
		"cased by config": {Files{VocabTxt: vocab,
			TokenizerConfig: config(`{"do_lower_case":false,"tokenize_chinese_chars":false}`)}, g.Cased},
		"config over json": {Files{TokenizerJSON: readFile(t, "cased.json"),
			TokenizerConfig: config(`{"do_lower_case":true,"tokenize_chinese_chars":true,"strip_accents":null}`)}, g.Vocab},
		"accents": {Files{VocabTxt: vocab, TokenizerConfig: config(`{"strip_accents":false}`)}, g.Accents},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want.check(t, open(t, c.files))
		})
	}
}

func (g golden) check(t *testing.T, v *Vocab) {
	if len(g.Encode) < 46 || len(g.Decode) < 46 {
		t.Fatalf("only %d and %d cases", len(g.Encode), len(g.Decode))
	}
	for _, c := range g.Encode {
		if got := v.Encode(c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("encode %q: %v, want %v", c.Text, got, c.IDs)
		}
	}
	options := [4]DecodeOptions{{}, {KeepSpaces: true}, {KeepSpecial: true}, {KeepSpecial: true, KeepSpaces: true}}
	for _, c := range g.Decode {
		for i, o := range options {
			if got := v.Decode(c.IDs, o); got != c.Texts[i] {
				t.Errorf("decode %v, %+v: %q, want %q", c.IDs, o, got, c.Texts[i])
			}
		}
	}
}

// TestEveryCharacter compares the words of "a"+c+"b" for all that Unicode had assigned
// when the reference was made.
func TestEveryCharacter(t *testing.T) {
	t.Parallel()
	g := readGoldens(t).Characters
	v := open(t, Files{VocabTxt: readFile(t, "vocab.txt")})
	skipped := map[rune]bool{}
	for _, run := range g.Skipped {
		for c := run[0]; c <= run[1]; c++ {
			skipped[c] = true
		}
	}
	for i, want := range g.Blocks {
		hash := sha256.New()
		for c := rune(i * 4096); c < rune(i+1)*4096; c++ {
			if skipped[c] || !utf8.ValidRune(c) {
				continue
			}
			found := slices.Collect(words(v.rules.normalize("a" + string(c) + "b")))
			fmt.Fprintf(hash, "%s\x00", strings.Join(found, "\n"))
		}
		if got := hex.EncodeToString(hash.Sum(nil))[:16]; got != want {
			t.Errorf("characters from U+%04X differ from the reference", i*4096)
		}
	}
}
