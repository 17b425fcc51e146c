package wordpiece

import "strings"

// DecodeOptions says how ids become text. The zero value prints what a reader wants:
// no special tokens, cleaned up.
type DecodeOptions struct {
	// KeepSpecial keeps special tokens, [UNK] among them (skip_special_tokens=False).
	KeepSpecial bool
	// KeepSpaces leaves out transformers' clean-up of the whole text
	// (clean_up_tokenization_spaces=False): "don ' t" stays as it is. The vocabulary's own
	// clean-up, token by token, is a matter of its file: "cat ." is "cat." in either case.
	KeepSpaces bool
}

// Decode returns the text of ids. Ids that the vocabulary does not have are left out.
func (v *Vocab) Decode(ids []int64, o DecodeOptions) string {
	var b strings.Builder
	first := true
	for _, id := range ids {
		token := v.Token(id)
		if token == "" || (v.special[token] && !o.KeepSpecial) {
			continue
		}
		b.WriteString(v.printed(token, first))
		first = false
	}
	if o.KeepSpaces {
		return b.String()
	}
	return replaceAll(b.String(), cleanWhole())
}

// printed is a token as it stands in a text, with the blank before it.
func (v *Vocab) printed(token string, first bool) string {
	if rest, ok := strings.CutPrefix(token, v.prefix); !first && ok {
		token = rest
	} else if !first {
		token = " " + token
	}
	if v.cleanEach {
		token = replaceAll(token, cleanToken())
	}
	return token
}

// cleanWhole is clean_up_tokenization of transformers: pairs of old and new, one after
// the other over the whole text.
func cleanWhole() []string {
	return []string{
		" .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't",
		" 'm", "'m", " 's", "'s", " 've", "'ve", " 're", "'re",
	}
}

// cleanToken is cleanup of the Rust crate's WordPiece decoder, for each token alone.
func cleanToken() []string {
	return []string{
		" .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't",
		" 'm", "'m", " do not", " don't", " 's", "'s", " 've", "'ve", " 're", "'re",
	}
}

func replaceAll(s string, pairs []string) string {
	for i := 0; i < len(pairs); i += 2 {
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return s
}
