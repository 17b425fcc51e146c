package wordpiece

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// tokenizerJSON is the file of the Rust crate. Truncation, padding and the post-processor
// only matter to callers that ask the crate for special tokens and batches.
type tokenizerJSON struct {
	Version       json.RawMessage `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	Added         []added         `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

type bertRules struct {
	Type    string `json:"type"`
	Clean   bool   `json:"clean_text"`
	Chinese bool   `json:"handle_chinese_chars"`
	Strip   *bool  `json:"strip_accents"` // nil: as Lower
	Lower   bool   `json:"lowercase"`
}

type bertDecoder struct {
	Type    string `json:"type"`
	Prefix  string `json:"prefix"`
	Cleanup bool   `json:"cleanup"`
}

type wordPiece struct {
	Type     string           `json:"type"`
	Unknown  string           `json:"unk_token"`
	Prefix   string           `json:"continuing_subword_prefix"`
	MaxChars int              `json:"max_input_chars_per_word"`
	Vocab    map[string]int64 `json:"vocab"`
}

func readTokenizerJSON(data []byte) (*draft, error) {
	var file tokenizerJSON
	if err := decodePart("tokenizer.json", data, &file, tokenizerKeys()); err != nil {
		return nil, err
	}
	rules := bertRules{Clean: true, Chinese: true, Lower: true}
	decoder := bertDecoder{Prefix: "##", Cleanup: true}
	model := wordPiece{Type: "WordPiece", Unknown: "[UNK]", Prefix: "##", MaxChars: 100}
	var pre struct{ Type string }
	err := errors.Join(
		decodePart("tokenizer.json: normalizer", file.Normalizer, &rules,
			[]string{"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}),
		decodePart("tokenizer.json: pre_tokenizer", file.PreTokenizer, &pre, []string{"type"}),
		decodePart("tokenizer.json: decoder", file.Decoder, &decoder, []string{"type", "prefix", "cleanup"}),
		decodePart("tokenizer.json: model", file.Model, &model,
			[]string{"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"}),
		wantType("normalizer", rules.Type, "BertNormalizer"),
		wantType("pre_tokenizer", pre.Type, "BertPreTokenizer"),
		wantType("decoder", decoder.Type, "WordPiece"),
		wantType("model", model.Type, "WordPiece"),
	)
	return &draft{
		from: "tokenizer.json", ids: model.Vocab, added: file.Added, rules: rules, decoder: decoder,
		unknown: model.Unknown, maxChars: model.MaxChars, prefix: model.Prefix,
	}, err
}

func tokenizerKeys() []string {
	return []string{
		"version", "truncation", "padding", "added_tokens", "normalizer",
		"pre_tokenizer", "post_processor", "decoder", "model",
	}
}

// decodePart decodes an object and names the keys that it does not know: an option that
// is passed over would give other ids than the reference.
func decodePart(name string, raw []byte, into any, known []string) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil || keys == nil {
		return fmt.Errorf("read %s: not a JSON object", name)
	}
	var errs []error
	for key := range keys {
		if !slices.Contains(known, key) {
			errs = append(errs, fmt.Errorf("read %s: %q is not supported", name, key))
		}
	}
	if err := json.Unmarshal(raw, into); err != nil {
		errs = append(errs, fmt.Errorf("read %s: %w", name, err))
	}
	return errors.Join(errs...)
}

func wantType(part, got, want string) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("read tokenizer.json: %s is of type %q: only %s is supported, the kind that GIT checkpoints have", part, got, want)
}
