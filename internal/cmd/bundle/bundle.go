// Package bundle holds the commands that show the bundles in the program.
package bundle

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/embedded"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/cmd/output"
)

// NewCmd returns the command with its sub-commands.
func NewCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Show the sets of revisions in this program",
		Long: `A bundle is the whole history of one application's database: every revision in
order, with the files that apply it and take it back, the release that brought it,
and what it means for pods of older releases. So far there is one, open-webui.

These commands show what is compiled into this program. They need no database and
no cluster.`,
		Args: unknown,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newList(), newShow())
	return cmd
}

// summary is a bundle in a list.
type summary struct {
	Name          string          `json:"name"`
	Title         string          `json:"title"`
	Engines       []bundle.Engine `json:"engines"`
	Revisions     int             `json:"revisions"`
	NewestRelease string          `json:"newestRelease"`
	Digest        string          `json:"digest"`
}

func newList() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the bundles",
		Long: `List shows each bundle with the number of its revisions, the newest release of
the application that it knows, and the beginning of a digest of its manifest and
files: where two programs show the same, they have the same revisions.`,
		Example: `  schemagate bundle list`,
		Args:    output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := embedded.Load(embedded.OpenWebUI)
			if err != nil {
				return err
			}
			s := summary{
				Name: b.Name, Title: b.Title, Engines: b.Engines, Revisions: len(b.Revisions),
				NewestRelease: b.NewestRelease.String(), Digest: b.Digest(),
			}
			if format == output.JSON {
				return output.WriteJSON(cmd.OutOrStdout(), []summary{s})
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "NAME\tTITLE\tREVISIONS\tNEWEST RELEASE\tDIGEST")
			_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%.12s\n", s.Name, s.Title, s.Revisions, s.NewestRelease, s.Digest)
			return table.Flush() // keeps the first error of the lines
		},
	}
	format.Add(cmd)
	return cmd
}

func newShow() *cobra.Command {
	var format output.Format
	var name string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the revisions of a bundle",
		Long: `Show lists the revisions in the order in which they are applied, a line each: the
order number and the id, both of which --to of migrate takes; the history that the
id comes from, Peewee's or Alembic's; the first release that has it (APP); its
label, and why it has that. With an additive revision, pods of older releases go on
working; with a quiesce one they do, but newer ones misread or miss what they write
from then on; with a breaking one they fail, or harm data.

As JSON there is more: tables that are touched, what is lost on the way down, and
the checks that run first.`,
		Example: `  schemagate bundle show
  schemagate bundle show --output json`,
		Args: output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := embedded.Load(name)
			if err != nil {
				return exit.Usage(err)
			}
			if format == output.JSON {
				return output.WriteJSON(cmd.OutOrStdout(), b.Bundle)
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "REVISION\tID\tHISTORY\tNAME\tAPP\tLABEL\tWHY")
			for _, r := range b.Revisions {
				_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Version, r.ID, r.History, r.Name, r.App, r.Label, r.Why)
			}
			return table.Flush() // keeps the first error of the lines
		},
	}
	format.Add(cmd)
	cmd.Flags().StringVar(&name, "bundle", embedded.OpenWebUI, "the bundle to show; see schemagate bundle list")
	return cmd
}

// unknown does not repeat what was typed: it may be a URL.
func unknown(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return exit.Usage(errors.New("there is no such command: use bundle list or bundle show"))
	}
	return nil
}
