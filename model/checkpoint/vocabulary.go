package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// Tokenizer are the contents of the tokenizer files, nil for those that are absent. The
// fields are those of wordpiece.Files, to which it converts.
type Tokenizer struct {
	TokenizerJSON    []byte // tokenizer.json
	VocabTxt         []byte // vocab.txt
	TokenizerConfig  []byte // tokenizer_config.json
	SpecialTokensMap []byte // special_tokens_map.json
}

// maxSpare is how many rows a word embedding may have beyond the vocabulary: it is often
// padded to a round number.
const maxSpare = 256

func readTokenizer(fsys fs.FS) (Tokenizer, error) {
	var t Tokenizer
	var errs []error
	for name, to := range map[string]*[]byte{
		"tokenizer.json": &t.TokenizerJSON, "vocab.txt": &t.VocabTxt,
		"tokenizer_config.json": &t.TokenizerConfig, "special_tokens_map.json": &t.SpecialTokensMap,
	} {
		data, err := readFile(fsys, name, maxVocabulary)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		*to = data
	}
	if t.TokenizerJSON == nil && t.VocabTxt == nil && len(errs) == 0 {
		return t, errors.New("the checkpoint has neither tokenizer.json nor vocab.txt: copy one of them into its folder")
	}
	return t, errors.Join(errs...)
}

// fits checks every vocabulary file against the rows of the word embedding.
func (t Tokenizer) fits(c Config) error {
	var errs []error
	if t.VocabTxt != nil {
		errs = append(errs, fits("vocab.txt", lines(t.VocabTxt), c))
	}
	if t.TokenizerJSON != nil {
		n, err := count(t.TokenizerJSON)
		if err == nil {
			err = fits("tokenizer.json", n, c)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// fits compares the number of ids with the rows that they choose from.
func fits(name string, n int64, c Config) error {
	last := max(c.BOS, c.EOS, c.PAD)
	switch {
	case n > c.VocabSize || n <= c.VocabSize-maxSpare:
		return fmt.Errorf("vocabulary does not fit: %s has %d tokens, the word embedding %d rows: take the tokenizer files of this checkpoint", name, n, c.VocabSize)
	case last >= n:
		return fmt.Errorf("vocabulary does not fit: config.json's special token id %d is not among the %d tokens of %s: take the tokenizer files of this checkpoint", last, n, name)
	}
	return nil
}

func lines(data []byte) int64 {
	n := bytes.Count(data, []byte("\n"))
	if len(data) > 0 && data[len(data)-1] != '\n' {
		n++
	}
	return int64(n)
}

// count is the greatest id of a tokenizer.json, plus one.
func count(data []byte) (int64, error) {
	var raw struct {
		Model struct {
			Vocab map[string]int64 `json:"vocab"`
		} `json:"model"`
		Added []struct {
			ID int64 `json:"id"`
		} `json:"added_tokens"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return 0, fmt.Errorf("read tokenizer.json: %w", err)
	}
	last := int64(-1)
	for _, id := range raw.Model.Vocab {
		last = max(last, id)
	}
	for _, added := range raw.Added {
		last = max(last, added.ID)
	}
	return last + 1, nil
}
