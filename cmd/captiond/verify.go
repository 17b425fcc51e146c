package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/demo"
	"github.com/captiond/captiond/frames/picture"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/hub"
)

// verifyOptions are the flags of `captiond model verify`.
type verifyOptions struct {
	image  string
	on     string // a folder of clips, or a file
	every  time.Duration
	format string
}

func newModelVerify(s streams) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Check a model's files and what it says",
		Long: `Check a model's files and what it says: that the hashes are those of the import, and that
it captions a built-in picture as it did then. With --image FILE the first logits of a
public image checkpoint are compared with the published ones: the picture they were made
from is COCO val2017 000000039769 (for base-textvqa and large-textvqa bus.png).

With --precision and --on CLIPS, a folder of videos and pictures or one of them, the model is
held against itself in float32: how many captions are equal, word for word, and how far
features and logits are off. Whether that is near enough is yours to say.`,
		Example: `  captiond model verify coco
  captiond model verify microsoft/git-base-coco --image 000000039769.jpg
  captiond model verify coco --precision int8 --on clips/`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			return t.verify(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.image, "image", "", "the picture that the published logits were made from")
	f.StringVar(&o.on, "on", "", "with --precision: a folder of clips, or a file, to caption in that precision and in float32")
	f.DurationVar(&o.every, "every", 10*time.Second, "with --on: length of the windows of a video")
	f.StringVarP(&o.format, "output", "o", "text", "with --on: form of the output: text or json")
	return cmd
}

// verify prints a line for each check and returns what failed.
func (t *tool) verify(ctx context.Context, name string, o verifyOptions) error {
	if o.on != "" {
		return t.agree(ctx, name, o)
	}
	entry, err := t.known(name)
	if err != nil && (!errors.Is(err, hub.ErrNotFound) || o.image == "") {
		return err
	}
	t.config.Model.Precision = graph.Float32.String() // as the published logits and the import are
	if len(entry.Files) > 0 {
		if err := t.registry().Verify(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(t.streams.out, "ok  files: %d hashes are those of the import\n", len(entry.Files))
	}
	return t.withModel(ctx, name, func(m *model.Model) error {
		if entry.Name != "" {
			if err := verifyGolden(ctx, m, entry.Golden); err != nil {
				return fmt.Errorf("verify %s: %w", fullName(m), err)
			}
			fmt.Fprintln(t.streams.out, "ok  caption: the built-in picture is captioned as before")
		}
		if o.image == "" {
			return nil
		}
		return t.verifyLogits(ctx, m, hubName(name, entry), o.image)
	})
}

// known is what is recorded of an imported model, or of the built-in one.
func (t *tool) known(name string) (hub.Entry, error) {
	if name == builtIn {
		return hub.Entry{Name: builtIn, Golden: demo.Golden()}, nil
	}
	return t.registry().Get(name)
}

// verifyKnown has a model speak, if it is known what it said before.
func (t *tool) verifyKnown(ctx context.Context, m *model.Model, name string) error {
	entry, err := t.known(name)
	if errors.Is(err, hub.ErrNotFound) || m.Precision() != graph.Float32 {
		return nil // in another precision it may say something else
	}
	if err != nil {
		return err
	}
	return verifyGolden(ctx, m, entry.Golden)
}

func verifyGolden(ctx context.Context, m *model.Model, want []int64) error {
	got, err := goldenTokens(ctx, m)
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the built-in picture's caption has the tokens %v, before %v: import the model again, or run `captiond doctor`", got, want)
	}
	return nil
}

// golden opens a checkpoint and returns what it says of the built-in picture.
func (t *tool) golden(ctx context.Context) func(*checkpoint.Checkpoint) ([]int64, error) {
	return func(c *checkpoint.Checkpoint) (tokens []int64, err error) {
		err = t.openModel(ctx, c, "import", func(m *model.Model) error {
			tokens, err = goldenTokens(ctx, m)
			return err
		})
		return tokens, err
	}
}

// goldenTokens are those of the greedy caption of the built-in picture.
func goldenTokens(ctx context.Context, m *model.Model) ([]int64, error) {
	var text model.Text
	err := withPicture(ctx, m, demo.Picture(), func(p *model.Prefix) (err error) {
		text, err = m.Generate(ctx, p, model.Request{})
		return err
	})
	return text.Tokens, err
}

// withPicture begins a single picture for the time of use.
func withPicture(ctx context.Context, m *model.Model, img *image.RGBA, use func(*model.Prefix) error) error {
	f, err := m.Encode(ctx, img, model.View{})
	if err != nil {
		return err
	}
	p, err := m.BeginPicture(ctx, f)
	if err != nil {
		return err
	}
	defer p.Close()
	return use(p)
}

// verifyLogits compares the first three logits with the published ones.
func (t *tool) verifyLogits(ctx context.Context, m *model.Model, name, file string) error {
	published, ok := hub.Figure(name)
	if !ok || published.Video {
		return fmt.Errorf("verify logits: none were published for %s that one picture can show: name one of %s", name, strings.Join(verifiable(), ", "))
	}
	img, err := readPicture(file)
	if err != nil {
		return fmt.Errorf("verify logits: %w", err)
	}
	var logits []float32
	if err := withPicture(ctx, m, img, func(p *model.Prefix) (err error) {
		logits, err = m.Logits(ctx, p, "")
		return err
	}); err != nil {
		return fmt.Errorf("verify logits: %w", err)
	}
	var worst float64
	for i, want := range published.Logits {
		worst = max(worst, abs(float64(logits[i]-want)))
	}
	if worst > hub.Tolerance {
		return fmt.Errorf("verify logits: %.4f, published %.4f: they differ by %.4f, more than %.4f; was it %s?",
			logits[:3], published.Logits, worst, hub.Tolerance, published.Input)
	}
	_, err = fmt.Fprintf(t.streams.out, "ok  logits: %.4f, published %.4f (tolerance %.4f)\n", logits[:3], published.Logits, hub.Tolerance)
	return err
}

func verifiable() (names []string) {
	for _, f := range hub.Figures() {
		if !f.Video {
			names = append(names, f.Model)
		}
	}
	return names
}

func abs(x float64) float64 { return max(x, -x) }

func readPicture(file string) (*image.RGBA, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return picture.Decode(f, picture.Limits{})
}

// hubName is the public name of a checkpoint: as given, or that of the folder that was
// imported or pulled.
func hubName(name string, e hub.Entry) string {
	pulled, _ := hub.RepoOf(e.Folder)
	for _, candidate := range []string{name, "microsoft/" + shortName(name), "microsoft/" + filepath.Base(e.Folder), pulled} {
		if _, ok := hub.Figure(candidate); ok {
			return candidate
		}
	}
	return name
}
