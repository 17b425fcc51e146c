package wordpiece

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// config is what transformers adds to the vocabulary from tokenizer_config.json and
// special_tokens_map.json.
type config struct {
	Lower   *bool            `json:"do_lower_case"`
	Chinese *bool            `json:"tokenize_chinese_chars"`
	Strip   json.RawMessage  `json:"strip_accents"` // nil: not said; null: as Lower
	Decoder map[string]added `json:"added_tokens_decoder"`
	named

	strip *bool
	added []added // what the files declare, first come first; id -1 where they give none
}

// named are the tokens with a role, each a string or an object.
type named struct {
	Unknown    *special  `json:"unk_token"`
	Separator  *special  `json:"sep_token"`
	Padding    *special  `json:"pad_token"`
	Class      *special  `json:"cls_token"`
	Mask       *special  `json:"mask_token"`
	Additional []special `json:"additional_special_tokens"`
}

func (n named) all() []special {
	var all []special
	for _, s := range []*special{n.Unknown, n.Separator, n.Padding, n.Class, n.Mask} {
		if s != nil {
			all = append(all, *s)
		}
	}
	return append(all, n.Additional...)
}

// special is a special token that is written as a string or as an object.
type special added

func (s *special) UnmarshalJSON(data []byte) error {
	*s = special{}
	var err error
	if data[0] == '"' {
		err = json.Unmarshal(data, &s.Content)
	} else {
		err = json.Unmarshal(data, (*added)(s))
	}
	s.ID, s.Special = -1, true
	return err
}

func readConfig(f Files) (*config, error) {
	c := &config{}
	var tokens named
	err := errors.Join(
		decodeFile("tokenizer_config.json", f.TokenizerConfig, c),
		decodeFile("special_tokens_map.json", f.SpecialTokensMap, &tokens),
	)
	if err != nil {
		return nil, err
	}
	if c.Strip != nil {
		err = json.Unmarshal(c.Strip, &c.strip)
	}
	return c, errors.Join(err, c.declare(tokens))
}

func decodeFile(name string, data []byte, into any) error {
	if data == nil {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// declare lists the tokens of both files by id, then those with a role.
func (c *config) declare(tokens named) error {
	var errs []error
	for key, t := range c.Decoder {
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			errs = append(errs, fmt.Errorf("read tokenizer_config.json: added_tokens_decoder: %q is not an id", key))
		}
		t.ID = id
		c.added = append(c.added, t)
	}
	slices.SortFunc(c.added, func(a, b added) int { return int(a.ID - b.ID) })
	for _, s := range append(c.all(), tokens.all()...) {
		c.added = append(c.added, added(s))
	}
	return errors.Join(errs...)
}

// apply puts the configuration over a draft.
func (c *config) apply(d *draft) {
	if c.Lower != nil {
		d.rules.Lower = *c.Lower
	}
	if c.Chinese != nil {
		d.rules.Chinese = *c.Chinese
	}
	if c.Strip != nil {
		d.rules.Strip = c.strip
	}
	if c.Unknown != nil && d.from == "vocab.txt" {
		d.unknown = c.Unknown.Content
	}
	d.added = append(d.added, c.added...)
}
