package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/model/hub"
)

func newModelPull(s streams) *cobra.Command {
	var revision, name string
	cmd := &cobra.Command{
		Use:   "pull OWNER/NAME",
		Short: "Download a checkpoint from the Hugging Face Hub and give it a name",
		Long: `Download a checkpoint from the Hugging Face Hub and give it a name. The files go into the
Hugging Face cache, where Python finds them too (HF_HOME, HF_HUB_CACHE); all are of one
commit, and each is checked against the Hub's hash. A download that was cut goes on when
the command is given again; one that is complete is checked and not repeated. A private or
gated model needs a token, in HF_TOKEN or as 'hf auth login' leaves it. HF_ENDPOINT names
another hub; with HF_HUB_OFFLINE=1 the cache alone is looked at.`,
		Example: "  captiond model pull microsoft/git-base-vatex\n  captiond model pull microsoft/git-base-coco --revision refs/pr/1 --name coco",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			ref, err := hub.ParseRef(args[0], revision)
			if err != nil {
				return usageError{err}
			}
			if name, err = chosenName(name, ref.Name); err != nil {
				return err
			}
			return t.pull(cmd.Context(), ref, name)
		},
	}
	cmd.Flags().StringVar(&revision, "revision", "", "branch, tag, refs/pr/N or commit (default: main)")
	cmd.Flags().StringVar(&name, "name", "", "name to give it (default: the model's)")
	return cmd
}

// pull downloads a checkpoint, checks it as an import does and says how to use it.
func (t *tool) pull(ctx context.Context, ref hub.Ref, name string) error {
	if err := t.registry().Free(name, ref.Repo()); err != nil {
		return err
	}
	s, err := t.download(ctx, ref)
	if err != nil {
		return err
	}
	if s.Hint != "" {
		t.log.Warn("hint", "text", s.Hint)
	}
	e, err := t.registry().Replace(ctx, name, s.Dir, t.golden(ctx))
	if err != nil {
		return err
	}
	how := "nothing had to be downloaded"
	if s.Downloaded > 0 {
		how = fmt.Sprintf("%.1f MB downloaded", float64(s.Downloaded)/1e6)
	}
	_, err = fmt.Fprintf(t.streams.out, "pulled %s at %.12s: %s\nimported %s@%s: use it with --model %s\n", ref, s.Commit, how, e.Name, e.Digest, e.Name)
	return err
}

// download brings a checkpoint into the Hub's cache: under a bar on a terminal, else with
// lines in the log.
func (t *tool) download(ctx context.Context, ref hub.Ref) (hub.Snapshot, error) {
	client, err := hub.NewClient(t.streams.getenv)
	if err != nil {
		return hub.Snapshot{}, err
	}
	client.Log = t.log
	d := &download{tool: t, title: ref.String(), told: time.Now()}
	if onTerminal(t.streams.err) {
		quiet := t.config.Log
		quiet.Level = max(quiet.Level, slog.LevelWarn)
		client.Log = newLogger(t.streams.err, quiet)
	}
	client.Progress = d.reach
	defer func() { d.bar.end() }()
	return client.Pull(ctx, ref)
}

// download shows how far a download has come.
type download struct {
	tool  *tool
	title string
	bar   progress
	begun bool
	told  time.Time // when the log last heard of it
}

// reach begins the bar when the size is known: with the first news.
func (d *download) reach(p hub.Progress) {
	if !d.begun {
		d.begun, d.bar = true, newBytes(d.tool.streams.err, d.title, p.Total)
	}
	d.bar.set(p.Done)
	if d.bar.bar == nil && time.Since(d.told) > 10*time.Second {
		d.told = time.Now()
		d.tool.log.Info("downloading", "file", p.File, "bytes", p.Done, "of", p.Total)
	}
}
