package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/captiond/captiond/model/weights"
)

// Names of tensors that are not always where the table says.
const (
	head     = "output.weight"
	words    = "git.embeddings.word_embeddings.weight"
	temporal = "git.img_temperal_embedding." // the Hub's spelling, canonical here
	renamed  = "git.img_temporal_embedding." // transformers 4.57 and later
)

// A TensorError lists all tensors of a file that do not fit the configuration.
type TensorError struct {
	Missing   []string // name and shape
	Misshapen []string // name, what it is and what is due
	Unknown   []string // names
}

func (e *TensorError) Error() string {
	var parts []string
	for _, list := range []struct {
		what  string
		names []string
	}{{"missing", e.Missing}, {"of the wrong shape or type", e.Misshapen}, {"unknown", e.Unknown}} {
		if len(list.names) > 0 {
			parts = append(parts, fmt.Sprintf("%d tensors %s: %s", len(list.names), list.what, strings.Join(list.names, ", ")))
		}
	}
	return "weights do not fit config.json (are both of the same checkpoint?): " + strings.Join(parts, "; ")
}

// Shapes are the canonical names and the shapes of all tensors that a configuration needs,
// an untied head among them. A linear layer's weight is [out, in].
func Shapes(c Config) map[string][]int64 {
	t := shapes{}
	t.vision(c)
	for i := range c.Frames {
		t[fmt.Sprint(temporal, i)] = []int64{1, 1, c.Vision.Hidden}
	}
	t.linear("git.visual_projection.visual_projection.0", c.Vision.Hidden, c.Text.Hidden)
	t.norm("git.visual_projection.visual_projection.1", c.Text.Hidden)
	t[words] = []int64{c.VocabSize, c.Text.Hidden}
	t["git.embeddings.position_embeddings.weight"] = []int64{c.TextPositions, c.Text.Hidden}
	t.norm("git.embeddings.LayerNorm", c.Text.Hidden)
	t.text(c.Text)
	t.linear("output", c.Text.Hidden, c.VocabSize)
	return t
}

type shapes map[string][]int64

func (t shapes) vision(c Config) {
	const prefix = "git.image_encoder.vision_model."
	v := c.Vision
	t[prefix+"embeddings.class_embedding"] = []int64{v.Hidden}
	t[prefix+"embeddings.patch_embedding.weight"] = []int64{v.Hidden, c.Channels, c.PatchSize, c.PatchSize}
	t[prefix+"embeddings.position_embedding.weight"] = []int64{c.ImageTokens(), v.Hidden}
	t.norm(prefix+"pre_layrnorm", v.Hidden)
	for i := range v.Layers {
		layer := fmt.Sprintf("%sencoder.layers.%d.", prefix, i)
		t.norm(layer+"layer_norm1", v.Hidden)
		for _, part := range [...]string{"q", "k", "v", "out"} {
			t.linear(layer+"self_attn."+part+"_proj", v.Hidden, v.Hidden)
		}
		t.norm(layer+"layer_norm2", v.Hidden)
		t.linear(layer+"mlp.fc1", v.Hidden, v.MLP)
		t.linear(layer+"mlp.fc2", v.MLP, v.Hidden)
	}
	t.norm(prefix+"post_layernorm", v.Hidden)
}

func (t shapes) text(x Tower) {
	for i := range x.Layers {
		layer := fmt.Sprintf("git.encoder.layer.%d.", i)
		for _, part := range [...]string{"self.query", "self.key", "self.value", "output.dense"} {
			t.linear(layer+"attention."+part, x.Hidden, x.Hidden)
		}
		t.norm(layer+"attention.output.LayerNorm", x.Hidden)
		t.linear(layer+"intermediate.dense", x.Hidden, x.MLP)
		t.linear(layer+"output.dense", x.MLP, x.Hidden)
		t.norm(layer+"output.LayerNorm", x.Hidden)
	}
}

func (t shapes) linear(name string, in, out int64) {
	t[name+".weight"] = []int64{out, in}
	t[name+".bias"] = []int64{out}
}

func (t shapes) norm(name string, size int64) {
	t[name+".weight"] = []int64{size}
	t[name+".bias"] = []int64{size}
}

// fit finds the tensor of every canonical name, or says all that does not fit.
func fit(c Config, f *weights.File) (map[string]weights.Tensor, error) {
	due := Shapes(c)
	found := make(map[string]weights.Tensor, len(due))
	var wrong TensorError
	for _, name := range slices.Sorted(maps.Keys(f.Tensors)) {
		canonical := canon(name)
		_, known := due[canonical]
		_, twice := found[canonical]
		switch {
		case strings.HasSuffix(name, "embeddings.position_ids"): // a buffer that old files have
		case !known || twice:
			wrong.Unknown = append(wrong.Unknown, name)
		default:
			found[canonical] = f.Tensors[name]
		}
	}
	tie(c, found)
	wrong.compare(due, found)
	if len(wrong.Missing)+len(wrong.Misshapen)+len(wrong.Unknown) > 0 {
		return nil, &wrong
	}
	return found, nil
}

// canon is the name by which a tensor is looked up.
func canon(name string) string {
	if rest, ok := strings.CutPrefix(name, renamed); ok {
		return temporal + rest
	}
	return name
}

// tie takes the word embedding for the head where the file has no head of its own, or the
// configuration ties them (transformers then overwrites what the file has).
func tie(c Config, found map[string]weights.Tensor) {
	embedding, ok := found[words]
	if _, own := found[head]; ok && (c.Tied || !own) {
		found[head] = embedding
	}
}

func (e *TensorError) compare(due map[string][]int64, found map[string]weights.Tensor) {
	for _, name := range slices.Sorted(maps.Keys(due)) {
		shape := due[name]
		t, ok := found[name]
		switch {
		case !ok:
			e.Missing = append(e.Missing, fmt.Sprintf("%s %v", name, shape))
		case !slices.Equal(t.Shape, shape):
			e.Misshapen = append(e.Misshapen, fmt.Sprintf("%s is %v, due is %v", name, t.Shape, shape))
		case t.DType != weights.F32 && t.DType != weights.F16 && t.DType != weights.BF16:
			e.Misshapen = append(e.Misshapen, fmt.Sprintf("%s is of type %s, due is F32, F16 or BF16", name, t.DType))
		}
	}
}
