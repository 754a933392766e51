// Package verify is the command that compares a database with what its revision
// leaves.
package verify

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/cmd/embedded"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/version"
)

// Flags are those of the commands that look for drift.
type Flags struct {
	connection connection.Flags
	bundle     string

	// Format is the form of the output.
	Format output.Format
}

// Add defines the flags on a command.
func (f *Flags) Add(cmd *cobra.Command) {
	f.connection.Add(cmd)
	f.Format.Add(cmd)
	cmd.Flags().StringVar(&f.bundle, "bundle", embedded.OpenWebUI, "bundle of revisions; see schemagate bundle list")
}

// Runner returns a runner for the database that the flags name. It has to be
// closed.
func (f *Flags) Runner() (*migrate.Runner, error) {
	b, err := embedded.Load(f.bundle)
	if err != nil {
		return nil, exit.Usage(err)
	}
	database, err := f.connection.Database()
	if err != nil {
		return nil, err
	}
	return migrate.New(migrate.Options{
		Bundle: b.Bundle, Files: b.Files, Steps: b.Steps, Catalogs: b.Catalogs, Target: bundle.Latest,
		Database: database, Schema: f.connection.Schema, ConnectTimeout: f.connection.ConnectTimeout, Version: version.Version(),
	})
}

// NewCmd returns the command.
func NewCmd() *cobra.Command {
	f := &Flags{}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare a database with what its revision leaves",
		Long: `Verify compares the tables, columns, keys and indexes of a database with those
that its applied revision leaves. What is missing or different is drift, and ends
with exit code 15. What is there in addition is listed and is none. A database
that the application has migrated is compared with the revision at which it would
be adopted. A SQLite file that is not there ends with exit code 11. Verify reads no
rows and changes nothing.`,
		Args: output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.Add(cmd)
	return cmd
}

func (f *Flags) run(cmd *cobra.Command) (err error) {
	runner, err := f.Runner()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	v, err := runner.Verify(cmd.Context())
	if err != nil {
		return err
	}
	if err := Print(cmd.OutOrStdout(), f.Format, v); err != nil {
		return err
	}
	if v.Drifted() {
		return &exit.Error{Code: result.ExitDrift}
	}
	return nil
}

// document is a verification as JSON.
type document struct {
	Managed  bool     `json:"managed"`
	Revision int      `json:"revision"`
	Birth    string   `json:"birth,omitempty"`
	Drifted  bool     `json:"drifted"`
	Missing  []string `json:"missing"`
	Changed  []string `json:"changed"`
	Extra    []string `json:"extra"`
	// Repair is what "schemagate repair" would add, and what keeps it from that.
	Additions []string `json:"additions"`
	Refused   []string `json:"refused"`
	Notes     []string `json:"notes,omitempty"`
}

// Print writes a verification.
func Print(w io.Writer, format output.Format, v migrate.Verification) error {
	d := document{
		Managed: v.Managed, Revision: v.Revision, Birth: string(v.Birth), Drifted: v.Drifted(),
		Missing: list(v.Difference.Missing), Changed: list(v.Difference.Changed), Extra: list(v.Difference.Extra),
		Additions: list(v.Additions), Refused: list(v.Refused), Notes: v.Empty,
	}
	if format == output.JSON {
		return output.WriteJSON(w, d)
	}
	return d.text(w)
}

// list is never null in JSON.
func list(of []string) []string { return append([]string{}, of...) }

func (d document) text(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	switch {
	case d.Revision == 0:
		_, _ = fmt.Fprintln(table, "The database is empty.")
		return table.Flush()
	case d.Managed:
		_, _ = fmt.Fprintf(table, "The database is at revision %d, birth %s.\n", d.Revision, d.Birth)
	default:
		_, _ = fmt.Fprintf(table, "The database is not managed; nearest is revision %d, birth %s.\n", d.Revision, d.Birth)
	}
	if !d.Drifted {
		_, _ = fmt.Fprintln(table, "It is what that revision leaves.")
	}
	if len(d.Missing)+len(d.Changed)+len(d.Extra) > 0 {
		_, _ = fmt.Fprintln(table, "DIFFERENCE\tOBJECT")
	}
	for _, kind := range []struct {
		name    string
		objects []string
	}{{"missing", d.Missing}, {"changed", d.Changed}, {"extra", d.Extra}} {
		for _, object := range kind.objects {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", kind.name, object)
		}
	}
	return table.Flush() // keeps the first error of the lines
}
