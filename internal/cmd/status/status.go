// Package status is the command that says where a database stands.
package status

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/bundle"
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
}

// NewCmd returns the command.
func NewCmd() *cobra.Command { return newCmd(embedded.Load) }

func newCmd(load func(string) (*embedded.Bundle, error)) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say where a database stands",
		Long: `Status reads the applied revision of a database, its owner, and what the
application's own version tables say. It changes nothing and compares nothing;
plan does.`,
		Args: output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, load) },
	}
	f.connection.Add(cmd)
	f.format.Add(cmd)
	cmd.Flags().StringVar(&f.bundle, "bundle", embedded.OpenWebUI, "bundle of revisions; see schemagate bundle list")
	return cmd
}

func (f *flags) run(cmd *cobra.Command, load func(string) (*embedded.Bundle, error)) (err error) {
	b, err := load(f.bundle)
	if err != nil {
		return exit.Usage(err)
	}
	database, err := f.connection.Database()
	if err != nil {
		return err
	}
	runner, err := migrate.New(migrate.Options{
		Bundle: b.Bundle, Files: b.Files, Database: database, Target: bundle.Latest,
		Schema: f.connection.Schema, ConnectTimeout: f.connection.ConnectTimeout,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	state, err := runner.Status(cmd.Context())
	if err != nil {
		return err
	}
	d := describe(b.Bundle, state)
	if f.format == output.JSON {
		return output.WriteJSON(cmd.OutOrStdout(), d)
	}
	return d.text(cmd.OutOrStdout(), runner.String())
}

// document is a state as JSON.
type document struct {
	// NoFile says that there is no database file, which counts as an empty database.
	NoFile bool `json:"noFile,omitempty"`
	// State is empty, managed, unmanaged (the application has migrated it, or
	// something else is in it).
	State      string   `json:"state"`
	Version    int      `json:"version"`
	ID         string   `json:"id,omitempty"`
	AppVersion string   `json:"appVersion,omitempty"`
	Birth      string   `json:"birth,omitempty"`
	Serves     *serves  `json:"serves,omitempty"`
	Owner      *owner   `json:"owner,omitempty"`
	Peewee     []string `json:"migratehistory,omitempty"`
	Alembic    []string `json:"alembicVersion,omitempty"`
	Tables     int      `json:"tables"`
}

type serves struct {
	From      int    `json:"from"`
	To        int    `json:"to"`
	AppFrom   string `json:"appFrom"`
	AppBefore string `json:"appBefore"`
}

type owner struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

func describe(b *bundle.Bundle, s migrate.State) document {
	d := document{NoFile: s.NoFile, State: "unmanaged", Birth: string(s.Birth), Peewee: s.Peewee, Alembic: s.Alembic, Tables: len(s.Tables)}
	switch {
	case s.Empty():
		d.State = "empty"
	case s.Managed:
		d.State = "managed"
	}
	if s.Owner != nil {
		d.Owner = &owner{Cluster: s.Owner.Cluster, Namespace: s.Owner.Namespace, Name: s.Owner.Name, UID: s.Owner.UID}
	}
	d.Version = s.Version
	revision, ok := b.Revision(s.Version)
	if !ok {
		return d
	}
	d.ID, d.AppVersion = revision.ID, revision.App.String()
	if interval := b.Interval(s.Version, s.Birth); interval.From > 0 {
		d.Serves = &serves{From: interval.From, To: interval.To, AppFrom: interval.AppFrom.String(), AppBefore: interval.AppBefore.String()}
	}
	return d
}

func (d document) text(w io.Writer, database string) error {
	var out strings.Builder
	fmt.Fprintf(&out, "Database: %s\n", database)
	switch {
	case d.State == "managed":
		fmt.Fprintf(&out, "Revision: %d (%s, application %s), birth %s\n", d.Version, d.ID, d.AppVersion, d.Birth)
	case d.NoFile:
		// It is not made to tell, and a path is easily mistyped.
		out.WriteString("Revision: none, there is no such file, which counts as an empty database\n")
	case d.State == "empty":
		out.WriteString("Revision: none, the database is empty\n")
	default:
		fmt.Fprintf(&out, "Revision: none recorded; %d tables that schemagate has not made\n", d.Tables)
	}
	if d.Serves != nil && d.Serves.AppFrom != "" {
		fmt.Fprintf(&out, "Serves: application %s and newer, before %s\n", d.Serves.AppFrom, d.Serves.AppBefore)
	}
	if d.Owner != nil {
		fmt.Fprintf(&out, "Owner: DatabaseSchema %s/%s in cluster %s\n", d.Owner.Namespace, d.Owner.Name, d.Owner.Cluster)
	}
	if n := len(d.Peewee); n > 0 {
		fmt.Fprintf(&out, "migratehistory: %d rows, the last is %s\n", n, d.Peewee[n-1])
	}
	if len(d.Alembic) > 0 {
		fmt.Fprintf(&out, "alembic_version: %s\n", strings.Join(d.Alembic, ", "))
	}
	_, err := io.WriteString(w, out.String())
	return err
}
