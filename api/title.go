package api

import (
	"strings"
	"unicode"
)

// maxTitle is how many characters of a name are kept.
const maxTitle = 255

// Title is a file's name as a client gave it, made fit to be shown: without its folders, and
// without what would turn a line, a terminal or the direction of writing upside down. It is no
// path, and nothing is ever opened by it.
func Title(name string) string {
	name = strings.ToValidUTF8(name, "\ufffd")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1 // Cf has the bidirectional overrides
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > maxTitle {
		name = string(runes[:maxTitle])
	}
	return strings.TrimSpace(name)
}
