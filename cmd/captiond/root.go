package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/configs"
)

// newRoot is the command tree. Each command reads the configuration when it runs.
func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "captiond",
		Short:         "Turn video into timestamped text",
		Long:          "captiond looks at video files and pictures through Microsoft's GIT model and says, with times, what is to be seen.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return wrongUsage(cmd, err) })
	configs.Flags(root.PersistentFlags())
	root.AddCommand(newCaption(s), newAsk(s), newClassify(s), newModel(s), newToken(s), newServe(s), newWatch(s), newEval(s), newDemo(s), newBench(s), newDoctor(s), newVersion(s))
	checkUsage(root)
	return root
}

// checkUsage makes wrong arguments of a command and its sub-commands usage errors.
func checkUsage(cmd *cobra.Command) {
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return wrongUsage(cmd, err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		checkUsage(sub)
	}
}

func wrongUsage(cmd *cobra.Command, err error) error {
	return usageError{fmt.Errorf("%w; see '%s --help'", err, cmd.CommandPath())}
}

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.out, "captiond", version())
			return err
		},
	}
}

// version is what the Go tool stamped into the program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	v := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			v += " " + setting.Value
		}
	}
	return v + " " + info.GoVersion
}
