// Package bundle holds the commands that show the bundles in the program.
package bundle

import (
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
		Args:  output.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
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
		Args:  output.NoArgs,
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
		Args:  output.NoArgs,
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
	cmd.Flags().StringVar(&name, "bundle", embedded.OpenWebUI, "the bundle to show")
	return cmd
}
