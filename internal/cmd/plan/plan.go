// Package plan is the command that says what migrate would do.
package plan

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/cmd/embedded"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/migrate"
)

type flags struct {
	connection connection.Flags
	format     output.Format
	bundle     string
	target     string
	birth      string
	adopt      string
}

// NewCmd returns the command.
func NewCmd() *cobra.Command { return newCmd(embedded.Load) }

func newCmd(load func(string) (*embedded.Bundle, error)) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "plan --to <revision>",
		Short: "Say what migrate would do",
		Long: `Plan reads a database, runs the preflight checks, and says which revisions
migrate would apply or revert, and which of them lose data or need pods of older
releases to stop. It changes nothing. Who owns the database, and whether
downgrades are allowed, are questions for migrate.

Each revision has a label: with an additive one, pods of older releases go on
working; with a quiesce one they do, but newer ones misread or miss what they
write from then on; with a breaking one they fail, or harm data.`,
		Example: `  schemagate plan --database-url sqlite:///webui.db --to latest`,
		Args:    output.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd, load) },
	}
	f.connection.Add(cmd)
	f.format.Add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.bundle, "bundle", embedded.OpenWebUI, "bundle of revisions; see schemagate bundle list")
	fs.StringVar(&f.target, "to", "", "target, as for migrate")
	fs.StringVar(&f.birth, "birth", migrate.BirthAuto, "origin that an empty database gets: auto, peewee or alembic")
	fs.StringVar(&f.adopt, "adopt", string(migrate.AdoptAuto), "as for migrate")
	return cmd
}

func (f *flags) run(cmd *cobra.Command, load func(string) (*embedded.Bundle, error)) (err error) {
	if f.target == "" {
		return exit.Usage(errors.New("no target: give --to, such as --to latest"))
	}
	b, err := load(f.bundle)
	if err != nil {
		return exit.Usage(err)
	}
	database, err := f.connection.Database()
	if err != nil {
		return err
	}
	runner, err := migrate.New(migrate.Options{
		Bundle: b.Bundle, Files: b.Files, Steps: b.Steps, Catalogs: b.Catalogs,
		Database: database, Schema: f.connection.Schema, ConnectTimeout: f.connection.ConnectTimeout,
		Target: f.target, Birth: f.birth, Adopt: migrate.Adoption(f.adopt), AllowDowngrade: true, TakeOwnership: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	p, err := runner.Plan(cmd.Context())
	if p != nil {
		if printErr := Print(cmd.OutOrStdout(), f.format, p); printErr != nil {
			return printErr
		}
	}
	return err
}

// document is a plan as JSON.
type document struct {
	// NoFile says that there is no database file, which counts as an empty database.
	NoFile bool   `json:"noFile,omitempty"`
	From   int    `json:"from"`
	To     int    `json:"to"`
	Birth  string `json:"birth,omitempty"`
	Adopt  bool   `json:"adopt"`
	// Stamp is the revision that the application's own tables tell.
	Stamp          int      `json:"stamp,omitempty"`
	Additions      []string `json:"additions,omitempty"`
	Extra          []string `json:"extra,omitempty"`
	Drift          []string `json:"drift,omitempty"`
	OneTransaction bool     `json:"oneTransaction"`
	Steps          []step   `json:"steps"`
}

type step struct {
	Revision      int               `json:"revision"`
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	AppVersion    string            `json:"appVersion"`
	Direction     migrate.Direction `json:"direction"`
	Label         string            `json:"label"`
	Fencing       bool              `json:"fencing"`
	Destructive   bool              `json:"destructive"`
	Loses         string            `json:"loses,omitempty"`
	NoTransaction bool              `json:"noTransaction"`
	SHA256        string            `json:"sha256"`
}

// Print writes a plan.
func Print(w io.Writer, format output.Format, p *migrate.Plan) error {
	d := document{
		NoFile: p.NoFile, From: p.From, To: p.To, Birth: string(p.Birth), Adopt: p.Adopt, OneTransaction: p.OneTransaction, Steps: []step{},
		Stamp: p.Stamp, Additions: p.Additions, Extra: p.Extra, Drift: p.Drift,
	}
	for _, s := range p.Steps {
		next := step{
			Revision: s.Revision.Version, ID: s.Revision.ID, Name: s.Revision.Name, AppVersion: s.Revision.App.String(),
			Direction: s.Direction, Label: string(s.Revision.Label), Fencing: s.Revision.Label.Fencing(),
			Destructive: s.Direction == migrate.Up && s.Revision.Destructive, NoTransaction: s.NoTransaction, SHA256: s.SHA256,
		}
		if s.Direction == migrate.Down {
			next.Loses = s.Revision.LossyDown
		}
		d.Steps = append(d.Steps, next)
	}
	if format == output.JSON {
		return output.WriteJSON(w, d)
	}
	return d.text(w)
}

func (d document) text(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if d.NoFile {
		// That is no error, as migrate makes the file; but a path is easily mistyped.
		_, _ = fmt.Fprintln(table, "There is no such file, which counts as an empty database")
	}
	if d.Adopt {
		_, _ = fmt.Fprintf(table, "Adopt the database at revision %d, birth %s%s\n", d.From, d.Birth, d.told())
		for _, object := range d.Additions {
			_, _ = fmt.Fprintf(table, "  add what is missing: %s\n", object)
		}
		for _, object := range d.Extra {
			_, _ = fmt.Fprintf(table, "  leave alone what is not the application's: %s\n", object)
		}
	}
	for _, difference := range d.Drift {
		_, _ = fmt.Fprintf(table, "Drift: %s\n", difference)
	}
	if len(d.Steps) == 0 {
		_, _ = fmt.Fprintf(table, "Nothing to run: the database is at revision %d\n", d.From)
		return table.Flush()
	}
	_, _ = fmt.Fprintf(table, "From revision %d to %d, birth %s, %s\n", d.From, d.To, d.Birth, d.commits())
	_, _ = fmt.Fprintln(table, "REVISION\tID\tNAME\tAPP\tDIRECTION\tLABEL\tNOTES")
	for _, s := range d.Steps {
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Revision, s.ID, s.Name, s.AppVersion, s.Direction, s.Label, s.notes())
	}
	return table.Flush() // keeps the first error of the lines
}

// told says what the application's own tables tell, where that is something else.
func (d document) told() string {
	switch d.Stamp {
	case d.From:
		return ""
	case 0:
		return "; the application's version tables say nothing that is known, and are set right"
	}
	return fmt.Sprintf("; the application's version tables say revision %d, and are set right", d.Stamp)
}

func (d document) commits() string {
	if d.OneTransaction {
		return "all in one transaction"
	}
	return "one transaction each"
}

func (s step) notes() string {
	notes := ""
	if s.Destructive {
		notes = "destructive. "
	}
	if s.NoTransaction {
		notes += "outside a transaction. "
	}
	return notes + s.Loses
}
