package wordpiece

import (
	"errors"
	"fmt"
	"strings"
)

// Limits on what a checkpoint may bring. The largest BERT vocabularies have 120,000
// tokens, the published GIT checkpoints five added ones.
const (
	maxFile  = 64 << 20 // bytes of one file
	maxIDs   = 1 << 20  // ids are below it
	maxAdded = 1 << 12
	maxWord  = 1 << 10 // the greatest max_input_chars_per_word
)

// Files are the contents of a checkpoint's tokenizer files, nil for those it lacks. One of
// TokenizerJSON and VocabTxt is needed. With both, TokenizerJSON is read, and VocabTxt
// must give [CLS], [SEP], [UNK] and [PAD] the same ids.
type Files struct {
	TokenizerJSON    []byte // tokenizer.json
	VocabTxt         []byte // vocab.txt: the line number is the id
	TokenizerConfig  []byte // tokenizer_config.json: case, accents, added tokens
	SpecialTokensMap []byte // special_tokens_map.json
}

// New reads a vocabulary. The error lists every problem of every file. As in
// transformers, what tokenizer_config.json says of case, accents and ideographs stands
// over tokenizer.json.
func New(f Files) (*Vocab, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	d, err := f.read()
	conf, confErr := readConfig(f)
	if err := errors.Join(err, confErr); err != nil {
		return nil, err
	}
	conf.apply(d)
	v, err := d.vocab()
	if err != nil {
		return nil, err
	}
	if err := f.agree(v); err != nil {
		return nil, err
	}
	return v, nil
}

func (f Files) check() error {
	if f.TokenizerJSON == nil && f.VocabTxt == nil {
		return errors.New("read vocabulary: the checkpoint has neither tokenizer.json nor vocab.txt: copy one of them into its folder")
	}
	var errs []error
	for name, data := range map[string][]byte{
		"tokenizer.json": f.TokenizerJSON, "vocab.txt": f.VocabTxt,
		"tokenizer_config.json": f.TokenizerConfig, "special_tokens_map.json": f.SpecialTokensMap,
	} {
		if len(data) > maxFile {
			errs = append(errs, fmt.Errorf("read %s: %d bytes, more than %d", name, len(data), maxFile))
		}
	}
	return errors.Join(errs...)
}

func (f Files) read() (*draft, error) {
	if f.TokenizerJSON != nil {
		return readTokenizerJSON(f.TokenizerJSON)
	}
	return &draft{
		from:     "vocab.txt",
		ids:      readVocabTxt(f.VocabTxt),
		unknown:  "[UNK]",
		maxChars: 100,
		prefix:   "##",
		rules:    bertRules{Clean: true, Chinese: true, Lower: true},
		decoder:  bertDecoder{Prefix: "##", Cleanup: true},
	}, nil
}

// readVocabTxt reads one token a line. A token that comes twice has its last line's id,
// as in every reader of the format.
func readVocabTxt(data []byte) map[string]int64 {
	ids := map[string]int64{}
	next := int64(0)
	for line := range strings.Lines(string(data)) {
		ids[strings.TrimRight(line, "\r\n")] = next
		next++
	}
	return ids
}

// agree compares vocab.txt with what was read from tokenizer.json.
func (f Files) agree(v *Vocab) error {
	if f.TokenizerJSON == nil || f.VocabTxt == nil {
		return nil
	}
	var errs []error
	lines := readVocabTxt(f.VocabTxt)
	for _, token := range []string{"[CLS]", "[SEP]", "[UNK]", "[PAD]"} {
		id, ok := v.ID(token)
		line, listed := lines[token]
		if ok != listed || id != line {
			errs = append(errs, fmt.Errorf("compare vocabularies: %s is %s in tokenizer.json and %s in vocab.txt: they belong to different models, remove the wrong one",
				token, spell(id, ok), spell(line, listed)))
		}
	}
	return errors.Join(errs...)
}

func spell(id int64, ok bool) string {
	if !ok {
		return "missing"
	}
	return fmt.Sprint(id)
}
