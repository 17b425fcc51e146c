// Package wordpiece turns text into token ids and ids into text, as the BERT
// tokenizers of a GIT checkpoint do: the same ids as the Rust crate "tokenizers" gives
// and the same text as Hugging Face transformers 4.56.2 prints.
//
// It owns the readers of tokenizer.json and vocab.txt and the rules of BertNormalizer,
// BertPreTokenizer and WordPiece. It does not own prompts: no [CLS] or [SEP] is ever
// added here. Every other kind of tokenizer is refused by name.
//
// A Vocab never changes once made and is safe for concurrent use.
package wordpiece

import (
	"strings"
	"unicode/utf8"
)

// Vocab is a vocabulary with its rules.
type Vocab struct {
	ids       map[string]int64 // of every token, added ones included
	tokens    []string         // by id; "" where an id has no token
	words     map[string]int64 // the model's own tokens, as a word begins
	pieces    map[string]int64 // those that continue a word, without their prefix
	special   map[string]bool  // the special added tokens, which Decode leaves out
	raw       matcher          // added tokens that are looked for in the text as it stands
	norm      matcher          // those that are looked for in the normalised text
	rules     normalizer
	unknown   int64
	maxChars  int // longer words are unknown
	widest    int // length of the longest of words and pieces, in bytes
	prefix    string
	cleanEach bool // the decoder's own clean-up, token by token
}

// Len is one more than the greatest id: the least vocabulary size of a model that can
// take every id that Encode returns.
func (v *Vocab) Len() int { return len(v.tokens) }

// ID returns the id of a token as the vocabulary spells it ("##ing", "[SEP]").
func (v *Vocab) ID(token string) (int64, bool) {
	id, ok := v.ids[token]
	return id, ok
}

// Token returns how the vocabulary spells an id, "" where there is no such id.
func (v *Vocab) Token(id int64) string {
	if id < 0 || id >= int64(len(v.tokens)) {
		return ""
	}
	return v.tokens[id]
}

// Encode returns the ids of a text, without special tokens round it. Bytes that are not
// UTF-8 count as U+FFFD, which BERT's rules drop. Time is linear in the length of text.
func (v *Vocab) Encode(text string) []int64 {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	ids := []int64{}
	for _, raw := range v.raw.split(text) {
		if raw.token {
			ids = append(ids, raw.id)
			continue
		}
		for _, part := range v.norm.split(v.rules.normalize(raw.text)) {
			if part.token {
				ids = append(ids, part.id)
				continue
			}
			for word := range words(part.text) {
				ids = v.appendWord(ids, word)
			}
		}
	}
	return ids
}

// appendWord appends the longest pieces that make up word, from the left, or the
// unknown token where they cannot make up the whole word.
func (v *Vocab) appendWord(ids []int64, word string) []int64 {
	if utf8.RuneCountInString(word) > v.maxChars {
		return append(ids, v.unknown)
	}
	known := v.words
	start := len(ids)
	for rest := word; rest != ""; known = v.pieces {
		id, n := longest(known, rest, v.widest)
		if n == 0 {
			return append(ids[:start], v.unknown)
		}
		ids = append(ids, id)
		rest = rest[n:]
	}
	return ids
}

// longest finds the longest beginning of s in known, up to limit bytes, and its length in
// bytes, 0 for none.
func longest(known map[string]int64, s string, limit int) (id int64, n int) {
	for n := min(len(s), limit); n > 0; n-- {
		if n < len(s) && !utf8.RuneStart(s[n]) {
			continue
		}
		if id, ok := known[s[:n]]; ok {
			return id, n
		}
	}
	return 0, 0
}
