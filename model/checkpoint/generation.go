package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Generation is what generation_config.json says of decoding; where it is absent,
// config.json's own keys of the same names stand, as in transformers.
type Generation struct {
	MaxLength     int     // tokens in all, the prompt counted; 0 where the checkpoint does not say
	MaxNewTokens  int     // tokens after the prompt; 0 where the checkpoint does not say
	NumBeams      int     // 1 is greedy
	LengthPenalty float64 // of Hugging Face's beam search
	BOS, PAD      int64   // token ids
	EOS           []int64 // token ids, each ends a text
}

type rawGeneration struct {
	MaxLength     *int     `json:"max_length"`
	MaxNewTokens  *int     `json:"max_new_tokens"`
	NumBeams      *int     `json:"num_beams"`
	LengthPenalty *float64 `json:"length_penalty"`
	BOS           *int64   `json:"bos_token_id"`
	PAD           *int64   `json:"pad_token_id"`
	EOS           *ids     `json:"eos_token_id"`
}

// ids is a JSON number or a list of numbers.
type ids []int64

func (l *ids) UnmarshalJSON(data []byte) error {
	var one int64
	if json.Unmarshal(data, &one) == nil {
		*l = ids{one}
		return nil
	}
	return json.Unmarshal(data, (*[]int64)(l))
}

func parseGeneration(name string, data []byte, c Config) (Generation, error) {
	var raw rawGeneration
	if err := json.Unmarshal(data, &raw); err != nil {
		return Generation{}, fmt.Errorf("read %s: %w", name, err)
	}
	g := Generation{
		MaxLength:     or(raw.MaxLength, 0),
		MaxNewTokens:  or(raw.MaxNewTokens, 0),
		NumBeams:      or(raw.NumBeams, 1),
		LengthPenalty: or(raw.LengthPenalty, 1),
		BOS:           or(raw.BOS, c.BOS),
		PAD:           or(raw.PAD, c.PAD),
		EOS:           or(raw.EOS, ids{c.EOS}),
	}
	if err := g.check(c); err != nil {
		return Generation{}, fmt.Errorf("read %s: %w", name, err)
	}
	return g, nil
}

func (g Generation) check(c Config) error {
	errs := []error{
		within("max_length", int64(g.MaxLength), 0, 1<<20),
		within("max_new_tokens", int64(g.MaxNewTokens), 0, 1<<20),
		within("num_beams", int64(g.NumBeams), 1, 64),
		within("bos_token_id", g.BOS, 0, c.VocabSize-1),
		within("pad_token_id", g.PAD, 0, c.VocabSize-1),
		within("number of eos_token_id", int64(len(g.EOS)), 1, 64),
	}
	for _, id := range g.EOS {
		errs = append(errs, within("eos_token_id", id, 0, c.VocabSize-1))
	}
	if g.LengthPenalty < -100 || g.LengthPenalty > 100 {
		errs = append(errs, fmt.Errorf("length_penalty is %g: it must be from -100 to 100", g.LengthPenalty))
	}
	return errors.Join(errs...)
}
