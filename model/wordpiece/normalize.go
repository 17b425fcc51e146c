package wordpiece

import (
	"iter"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalizer is BertNormalizer of the Rust crate, its steps in its order.
type normalizer struct {
	clean   bool // drop control characters, make every white space a blank
	chinese bool // put blanks round CJK ideographs
	strip   bool // take off accents
	lower   bool
}

func (n normalizer) normalize(text string) string {
	if n.clean {
		text = strings.Map(cleaned, text)
	}
	if n.chinese {
		text = spaced(text)
	}
	if n.strip {
		text = strings.Map(unaccented, norm.NFD.String(text))
	}
	if n.lower {
		text = lowered(text)
	}
	return text
}

func cleaned(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return ' '
	case r == 0 || r == unicode.ReplacementChar || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
		return -1
	case unicode.Is(unicode.White_Space, r):
		return ' '
	}
	return r
}

func unaccented(r rune) rune {
	if unicode.Is(unicode.Mn, r) {
		return -1
	}
	return r
}

// lowered lower-cases each character by itself: unlike in running Greek text, a final
// sigma stays as it is. U+0130 is the one character that becomes two.
func lowered(text string) string {
	return strings.ReplaceAll(strings.Map(lower, text), "\u0130", "i\u0307")
}

func lower(r rune) rune {
	if r == '\u0130' {
		return r
	}
	return unicode.ToLower(r)
}

// chinese is the crate's idea of an ideograph. It begins extension E at U+2B920, where
// the block, and BERT in Python, begin at U+2B820.
var chinese = &unicode.RangeTable{ //nolint:gochecknoglobals // a table like those of package unicode, asked for every character
	R16: []unicode.Range16{
		{Lo: 0x3400, Hi: 0x4DBF, Stride: 1},
		{Lo: 0x4E00, Hi: 0x9FFF, Stride: 1},
		{Lo: 0xF900, Hi: 0xFAFF, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x20000, Hi: 0x2A6DF, Stride: 1},
		{Lo: 0x2A700, Hi: 0x2B73F, Stride: 1},
		{Lo: 0x2B740, Hi: 0x2B81F, Stride: 1},
		{Lo: 0x2B920, Hi: 0x2CEAF, Stride: 1},
		{Lo: 0x2F800, Hi: 0x2FA1F, Stride: 1},
	},
}

func spaced(text string) string {
	var b strings.Builder
	for _, r := range text {
		if !unicode.Is(chinese, r) {
			b.WriteRune(r)
			continue
		}
		b.WriteByte(' ')
		b.WriteRune(r)
		b.WriteByte(' ')
	}
	return b.String()
}

// words yields the words of a normalised text as BertPreTokenizer cuts them: at white
// space, which is lost, and round each punctuation mark, which is a word by itself.
func words(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for field := range strings.FieldsFuncSeq(text, isSpace) {
			for field != "" {
				n := wordLen(field)
				if !yield(field[:n]) {
					return
				}
				field = field[n:]
			}
		}
	}
}

// wordLen is the length in bytes of the first word of a field without white space.
func wordLen(field string) int {
	for i, r := range field {
		switch {
		case !isPunctuation(r):
		case i == 0:
			return len(string(r))
		default:
			return i
		}
	}
	return len(field)
}

func isSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

// isPunctuation counts all ASCII signs, symbols such as "$" and "^" too.
func isPunctuation(r rune) bool {
	if r <= unicode.MaxASCII {
		return r > ' ' && r < 0x7F && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	return unicode.IsPunct(r)
}
