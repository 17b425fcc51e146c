package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/demo"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/hub"
)

// builtIn is the name of the model that is embedded in the program.
const builtIn = "demo"

func newModel(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Download, import, list, verify and remove models",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModelPull(s), newModelImport(s), newModelList(s), newModelVerify(s), newModelRemove(s))
	return cmd
}

func newModelImport(s streams) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "import FOLDER",
		Short: "Check a checkpoint and give it a name",
		Long: `Check a checkpoint and give it a name. FOLDER holds a GIT checkpoint in Hugging Face
layout, or is a Hub name whose files are in the Hugging Face cache. Nothing is copied or
converted: the folder must stay where it is.`,
		Example: "  captiond model import ./git-base-vatex\n  captiond model import microsoft/git-base-coco --name coco",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			dir, err := hub.Resolve(args[0], t.roots())
			if err != nil {
				return err
			}
			if name, err = chosenName(name, args[0]); err != nil {
				return err
			}
			e, err := t.registry().Import(cmd.Context(), name, dir, t.golden(cmd.Context()))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "imported %s@%s: use it with --model %s\n", e.Name, e.Digest, e.Name)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name to give it (default: the folder's)")
	return cmd
}

// chosenName is the name that a model is to have: that of the flag, else its own.
func chosenName(flag, own string) (string, error) {
	name := cmp.Or(flag, shortName(own))
	if name == builtIn {
		return "", usageError{fmt.Errorf("%s is the name of the built-in model: choose another with --name", name)}
	}
	return name, nil
}

func newModelList(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the models that have a name",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			c, _, err := t.checkpoint(builtIn)
			if err != nil {
				return err
			}
			entries, err := t.registry().List()
			w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
			fmt.Fprintf(w, "NAME\tDIGEST\tFOLDER\n%s\t%s\t(built in)\n", builtIn, c.Digest)
			for _, e := range entries {
				fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, e.Digest, e.Folder)
			}
			return errors.Join(err, w.Flush())
		},
	}
}

func newModelRemove(s streams) *cobra.Command {
	var files bool
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Forget a model; its files are left alone, unless --files",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			if files {
				if err := t.removeFiles(args[0]); err != nil {
					return err
				}
			}
			return t.registry().Remove(args[0])
		},
	}
	cmd.Flags().BoolVar(&files, "files", false, "delete what was downloaded, too: the model's files in the Hub's cache that no other revision there uses")
	return cmd
}

// removeFiles deletes a model from the Hub's cache, unless another name stands for it.
func (t *tool) removeFiles(name string) error {
	e, err := t.registry().Get(name)
	if err != nil {
		return err
	}
	all, err := t.registry().List()
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Folder == e.Folder && other.Name != name {
			return fmt.Errorf("remove model %s: %s has the same files: `captiond model remove %s` first", name, other.Name, other.Name)
		}
	}
	return hub.RemoveSnapshot(e.Folder)
}

func (t *tool) registry() *hub.Registry { return &hub.Registry{Dir: t.roots().Models} }

func (t *tool) roots() hub.Roots {
	return hub.DefaultRoots(t.streams.getenv, t.config.State)
}

// checkpoint loads a model's files by its name, and gives the name that events state.
func (t *tool) checkpoint(name string) (*checkpoint.Checkpoint, string, error) {
	if name == builtIn {
		c, err := checkpoint.LoadFS(demo.Model())
		return c, builtIn, err
	}
	dir, err := hub.Resolve(name, t.roots())
	if err != nil {
		return nil, "", err
	}
	c, err := checkpoint.Load(dir)
	return c, shortName(name), err
}

// shortName is the last part of a folder's or a Hub name.
func shortName(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	return filepath.Base(name)
}
