package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/api/tokens"
	"github.com/captiond/captiond/configs"
)

func newToken(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Add, list and remove the tokens of the HTTP server",
		Long: `Add, list and remove the tokens of the HTTP server. Beyond the loopback interface it lets
nobody in without one. They are kept in the state folder, as hashes; a running daemon sees
every change at once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenAdd(s), newTokenList(s), newTokenRemove(s))
	return cmd
}

// tokens is the store of the daemon that has this state folder.
func (t *tool) tokens() *tokens.Store {
	return tokens.Open(filepath.Join(t.config.State, "tokens.json"))
}

func newTokenAdd(s streams) *cobra.Command {
	var scopes, expires string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a token and print it, once",
		Long: `Make a token and print it. It cannot be shown again. Clients send it as the header
'Authorization: Bearer captiond_...'. The scopes are read (see videos, captions, cameras and
events), ask (questions, captions and labels), upload (send videos, cancel and delete one's
own) and admin (all of that, what is others' too, and cameras).`,
		Example: "  captiond token add phone --scopes read,ask\n  captiond token add nightly --scopes upload,read --expires 90d",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			granted, err := tokens.ParseScopes(scopes)
			if err != nil {
				return wrongUsage(cmd, err)
			}
			end, err := expiry(expires, time.Now())
			if err != nil {
				return wrongUsage(cmd, err)
			}
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			secret, err := t.tokens().Add(args[0], granted, end)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(s.out, secret)
			return err
		},
	}
	cmd.Flags().StringVar(&scopes, "scopes", "read,ask", "what it may do: some of read, ask, upload and admin, separated by commas")
	cmd.Flags().StringVar(&expires, "expires", "", "how long it is good, such as 12h or 90d (default: until it is removed)")
	return cmd
}

// expiry is when a token ends that is good for a while, zero where that is not said.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	d, err := configs.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, errors.New("--expires must be a time such as 12h or 90d")
	}
	return now.Add(d).UTC().Truncate(time.Second), nil
}

func newTokenList(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tokens, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			all, err := t.tokens().List()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSCOPES\tCREATED\tEXPIRES")
			for _, token := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", token.Name, join(token.Scopes), token.Created.Format(time.DateOnly), ends(token))
			}
			return w.Flush()
		},
	}
}

func join(scopes []tokens.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}

func ends(t tokens.Token) string {
	switch {
	case t.Expires.IsZero():
		return "never"
	case t.Expired(time.Now()):
		return t.Expires.Format(time.RFC3339) + " (over)"
	}
	return t.Expires.Format(time.RFC3339)
}

func newTokenRemove(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "End a token: it is refused from the next request on",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			return t.tokens().Remove(args[0])
		},
	}
}
