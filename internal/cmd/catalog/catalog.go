// Package catalog is the command that shows what a database consists of.
package catalog

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/cmd/embedded"
	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// NewCmd returns the command.
func NewCmd() *cobra.Command {
	var flags connection.Flags
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "Print the tables and columns of a database as JSON",
		Long: `Catalog prints the tables, columns, keys, indexes and so on of a database as
JSON. It is for comparing two databases with a program such as diff, and for reports
of problems: two with the same catalog print the same text, but for the positions of
columns. It is the form in which schemagate itself recognizes a database.

To see how a database differs from what its revision leaves, use verify instead.

Catalog reads no rows and changes nothing. It leaves out the version tables of the
application and those of schemagate.`,
		Example: `  schemagate catalog --database-url sqlite:///webui.db > catalog.json`,
		Args:    output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			got, err := read(cmd.Context(), &flags)
			if err != nil {
				return err
			}
			return output.WriteJSON(cmd.OutOrStdout(), got)
		},
	}
	flags.Add(cmd)
	return cmd
}

func read(ctx context.Context, flags *connection.Flags) (got *catalog.Catalog, err error) {
	b, err := embedded.Load(embedded.OpenWebUI)
	if err != nil {
		return nil, err
	}
	database, err := flags.Database()
	if err != nil {
		return nil, err
	}
	runner, err := migrate.New(migrate.Options{
		Bundle: b.Bundle, Files: b.Files, Database: database, Target: bundle.Latest,
		Schema: flags.Schema, ConnectTimeout: flags.ConnectTimeout,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	err = runner.View(ctx, func(ctx context.Context, q step.Tx, dialect step.Dialect, schema string) error {
		got, err = catalog.Read(ctx, q, bundle.Engine(dialect), schema)
		return err
	})
	return got, err
}
