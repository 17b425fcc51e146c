package index

import (
	"strings"
	"unicode"

	"github.com/captiond/captiond/api"
)

// match makes what a person typed a query of FTS5 that cannot fail: every word stands in
// quotes, and all must be there. A "phrase" stands as it is, and a word that ends in '*' is
// the beginning of one. What holds no letter or digit is left out: it is in no index.
func match(typed string) (string, error) {
	if len(typed) > api.MaxQueryBytes {
		return "", api.Errorf(422, "q is longer than %d bytes: use fewer words", api.MaxQueryBytes)
	}
	var terms []string
	for i, part := range strings.Split(strings.Map(plain, strings.ToValidUTF8(typed, " ")), `"`) {
		if i%2 == 1 {
			terms = append(terms, term(part)...)
			continue
		}
		for _, word := range strings.Fields(part) {
			terms = append(terms, term(word)...)
		}
	}
	if len(terms) > api.MaxQueryWords {
		return "", api.Errorf(422, "q has more than %d words: use fewer", api.MaxQueryWords)
	}
	return strings.Join(terms, " "), nil
}

// plain makes control characters spaces: a zero would end the query.
func plain(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// term is s in quotes, or nothing. It holds no quote.
func term(s string) []string {
	if !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		return nil
	}
	quoted := `"` + strings.TrimRight(s, "*") + `"`
	if strings.HasSuffix(s, "*") {
		quoted += "*"
	}
	return []string{quoted}
}
