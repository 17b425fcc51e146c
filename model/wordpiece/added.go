package wordpiece

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// added is a token that is looked for in the text before words are cut.
type added struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no letter or digit touches it
	LStrip     bool   `json:"lstrip"`      // takes the white space before it
	RStrip     bool   `json:"rstrip"`      // takes the white space after it
	Normalized bool   `json:"normalized"`  // is normalised and looked for in normalised text
	Special    bool   `json:"special"`
}

// matcher finds added tokens: the leftmost and, of those, the longest.
type matcher map[byte][]added // by first byte, longest first

// newMatcher takes the tokens with the contents that are to be looked for. Tokens of
// which nothing is left by normalising are never found.
func newMatcher(tokens []added) matcher {
	m := matcher{}
	for _, t := range tokens {
		if t.Content != "" {
			m[t.Content[0]] = append(m[t.Content[0]], t)
		}
	}
	for _, same := range m {
		slices.SortStableFunc(same, func(a, b added) int { return len(b.Content) - len(a.Content) })
	}
	return m
}

// part is an added token of a text or a stretch between two.
type part struct {
	text  string
	id    int64
	token bool
}

// split cuts text at the added tokens in it.
func (m matcher) split(text string) []part {
	var parts []part
	from := 0 // where the stretch since the last token begins
	for at := 0; at < len(text); {
		t, ok := m.at(text[at:])
		if !ok {
			at++
			continue
		}
		start, end := at, at+len(t.Content)
		at = end
		if t.SingleWord && (endsWithWord(text[:start]) || startsWithWord(text[end:])) {
			continue
		}
		if t.LStrip {
			start = max(from, len(strings.TrimRightFunc(text[:start], isSpace)))
		}
		if t.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], isSpace))
		}
		if from < start {
			parts = append(parts, part{text: text[from:start]})
		}
		parts = append(parts, part{id: t.ID, token: true})
		from = end
	}
	if from < len(text) {
		parts = append(parts, part{text: text[from:]})
	}
	return parts
}

// at returns the longest token that text begins with.
func (m matcher) at(text string) (added, bool) {
	for _, t := range m[text[0]] {
		if strings.HasPrefix(text, t.Content) {
			return t, true
		}
	}
	return added{}, false
}

func endsWithWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func startsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord is \w of Unicode's regular expressions (UTS 18, annex C).
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M,
		unicode.Nd, unicode.Pc, unicode.Join_Control)
}
