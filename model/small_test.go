package model_test

import (
	"path/filepath"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/graph"
)

// Pictures of which few patches are left are captioned in every precision, though their
// tokens cannot be shared out evenly.
func TestFewTokens(t *testing.T) {
	t.Parallel()
	for _, precision := range []graph.Precision{graph.Float32, graph.Int8, graph.Float16} {
		m := openModel(t, filepath.Join("testdata", "image-vqa"), model.Options{Precision: precision})
		for tokens := range 12 {
			p, err := m.BeginPicture(t.Context(), m.Blank(1+tokens))
			if err != nil {
				t.Fatalf("%v: %d tokens: %v", precision, 1+tokens, err)
			}
			text, err := m.Generate(t.Context(), p, model.Request{MaxTokens: 3})
			if err != nil || text.Confidence == 0 {
				t.Errorf("%v: %d tokens give %+v, %v", precision, 1+tokens, text, err)
			}
			p.Close()
		}
	}
}
