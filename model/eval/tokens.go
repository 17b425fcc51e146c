package eval

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A Tokenizer cuts captions into words as the COCO caption evaluation does: with the Penn
// Treebank rules of Stanford CoreNLP 3.4.1's PTBTokenizer, lower-cased and without the
// punctuation of its list. "A man's hat isn't (quite) red." is
// a man 's hat is n't -lrb- quite -rrb- red. It is safe for concurrent use.
//
// A text is cut as if it stood alone. The reference cuts all captions as one file, where
// the beginning of a line can decide on a single letter and its dot at the end of the line
// before.
type Tokenizer struct{ shapes []shape }

// NewTokenizer makes a tokenizer.
func NewTokenizer() *Tokenizer { return &Tokenizer{shapes()} }

// Tokens are the words of a text, none of them empty.
func (t *Tokenizer) Tokens(text string) []string {
	// What follows the last word decides on its dot: here, as between captions in the
	// reference, a new line and a word.
	text = strings.Map(plain, text) + "\nz\n"
	var tokens []string
	for at, end := 0, len(text)-len("\nz\n"); at < end; {
		token, n := t.next(text[at:])
		at += n
		if token = lower(token); token != "" && !isPunctuation(token) {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// plain makes spaces of all kinds of line ends, and of what has no place in 16 bits: the
// reference drops these characters.
func plain(r rune) rune {
	switch r {
	case '\n', '\r', '\v', '\f', '\u0085', '\u2028', '\u2029', utf8.RuneError:
		return ' '
	}
	if r > 0xFFFF {
		return ' '
	}
	return r
}

// lower is lower case as Java has it, but for a sigma at the end of a word.
func lower(s string) string { return strings.ToLower(strings.ReplaceAll(s, "İ", "i\u0307")) }

// isPunctuation tells whether a token is dropped. Brackets are on the reference's list in
// capitals only, which no token has by then: they stay.
func isPunctuation(token string) bool {
	return slices.Contains([]string{"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}, token)
}

// next is the token that text begins with, empty where it begins with nothing to keep, and
// the number of bytes it takes.
func (t *Tokenizer) next(text string) (string, int) {
	if n := simple(text); n > 0 {
		return text[:n], n
	}
	var token string
	taken, seen := 0, 0
	for _, s := range t.shapes {
		if m := s.pattern.FindStringSubmatchIndex(text); m != nil && m[1] > seen {
			token, taken, seen = s.write(text[:m[3]]), m[3], m[1]
		}
	}
	if taken == 0 { // the reference warns and drops what has no known shape
		_, taken = utf8.DecodeRuneInString(text)
	}
	return token, taken
}

// simple is the length of a word of plain letters with a space after it, or of a dot or
// comma with one. Most tokens are such; 0 leaves the others to the shapes.
func simple(text string) int {
	n := 0
	for n < len(text) && (text[n]|0x20) >= 'a' && (text[n]|0x20) <= 'z' {
		n++
	}
	if n == 0 && (text[0] == '.' || text[0] == ',') {
		n = 1
	}
	if n == 0 || (text[n] != ' ' && text[n] != '\n') {
		return 0
	}
	switch strings.ToLower(text[:n]) {
	case "cannot", "gonna", "gotta", "wanna", "lemme", "gimme":
		return 0
	}
	return n
}
