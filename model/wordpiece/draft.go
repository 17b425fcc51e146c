package wordpiece

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// draft is a vocabulary in the making, from whichever file.
type draft struct {
	from     string // the file's name
	ids      map[string]int64
	added    []added
	rules    bertRules
	decoder  bertDecoder
	unknown  string
	prefix   string
	maxChars int
}

// vocab makes the vocabulary, or says all that is wrong with it.
func (d *draft) vocab() (*Vocab, error) {
	v := &Vocab{
		ids: map[string]int64{}, words: d.ids, pieces: map[string]int64{}, special: map[string]bool{},
		rules: d.normalizer(), maxChars: d.maxChars, prefix: d.decoder.Prefix, cleanEach: d.decoder.Cleanup,
	}
	err := errors.Join(d.checkModel(), d.placeModel(v), d.placeAdded(v))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.from, err)
	}
	v.unknown = d.ids[d.unknown]
	return v, nil
}

func (d *draft) normalizer() normalizer {
	n := normalizer{clean: d.rules.Clean, chinese: d.rules.Chinese, strip: d.rules.Lower, lower: d.rules.Lower}
	if d.rules.Strip != nil {
		n.strip = *d.rules.Strip
	}
	return n
}

func (d *draft) checkModel() error {
	var errs []error
	if _, ok := d.ids[d.unknown]; !ok {
		errs = append(errs, fmt.Errorf("the vocabulary of %d tokens lacks its unknown token %q", len(d.ids), d.unknown))
	}
	if d.maxChars < 1 || d.maxChars > maxWord {
		errs = append(errs, fmt.Errorf("max_input_chars_per_word is %d, not between 1 and %d", d.maxChars, maxWord))
	}
	return errors.Join(errs...)
}

// placeModel gives the model's own tokens their places.
func (d *draft) placeModel(v *Vocab) error {
	var errs problems
	for _, token := range slices.Sorted(maps.Keys(d.ids)) {
		id := d.ids[token]
		if err := v.place(token, id); err != nil {
			errs.add(err)
			continue
		}
		v.widest = max(v.widest, len(token))
		if rest, ok := strings.CutPrefix(token, d.prefix); ok {
			v.pieces[rest] = id
		}
	}
	return errs.join()
}

// placeAdded gives the added tokens their places and rules. The first to declare a token
// decides how it is looked for.
func (d *draft) placeAdded(v *Vocab) error {
	if len(d.added) > maxAdded {
		return fmt.Errorf("%d added tokens, more than %d", len(d.added), maxAdded)
	}
	var errs []error
	var raw, norm []added
	seen := map[string]bool{}
	for _, t := range append(d.added, d.roles()...) {
		if t.Content == "" || seen[t.Content] {
			continue
		}
		seen[t.Content] = true
		id, known := v.ids[t.Content]
		if !known {
			id = int64(max(len(v.tokens), len(d.ids)))
			errs = append(errs, v.place(t.Content, id))
		}
		if t.ID >= 0 && t.ID != id {
			errs = append(errs, fmt.Errorf("added token %q has id %d, but its place in the vocabulary is %d", t.Content, t.ID, id))
		}
		t.ID = id
		v.special[t.Content] = t.Special
		if t.Normalized {
			t.Content = v.rules.normalize(t.Content)
			norm = append(norm, t)
		} else {
			raw = append(raw, t)
		}
	}
	v.raw, v.norm = newMatcher(raw), newMatcher(norm)
	return errors.Join(errs...)
}

// roles are the special tokens that transformers declares for a bare vocab.txt.
func (d *draft) roles() []added {
	if d.from != "vocab.txt" {
		return nil
	}
	var roles []added
	for _, token := range []string{d.unknown, "[SEP]", "[PAD]", "[CLS]", "[MASK]"} {
		if id, ok := d.ids[token]; ok {
			roles = append(roles, added{ID: id, Content: token, Special: true})
		}
	}
	return roles
}

func (v *Vocab) place(token string, id int64) error {
	if id < 0 || id >= maxIDs {
		return fmt.Errorf("token %.40q has id %d, not between 0 and %d", token, id, maxIDs-1)
	}
	for int64(len(v.tokens)) <= id {
		v.tokens = append(v.tokens, "")
	}
	if other := v.tokens[id]; other != "" {
		return fmt.Errorf("tokens %.40q and %.40q share id %d", other, token, id)
	}
	v.tokens[id] = token
	v.ids[token] = id
	return nil
}

// problems are what is wrong with a vocabulary, as many as a person reads.
type problems struct {
	errs []error
	more int
}

func (p *problems) add(err error) {
	if len(p.errs) == 20 {
		p.more++
		return
	}
	p.errs = append(p.errs, err)
}

func (p *problems) join() error {
	if p.more > 0 {
		return errors.Join(append(p.errs, fmt.Errorf("and %d more", p.more))...)
	}
	return errors.Join(p.errs...)
}
