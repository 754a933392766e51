// Package repair is the command that adds to a database what it lacks.
package repair

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/cmd/verify"
	"github.com/schemagate/schemagate/internal/migrate"
)

type flags struct {
	verify.Flags
	apply bool
}

// NewCmd returns the command.
func NewCmd() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Add to a database what it lacks of its revision",
		Long: `Repair compares a database as verify does, and says what it would add: missing
tables, columns, keys and indexes. With --apply it adds them, in one transaction.
It never drops or alters anything; where that would be needed, it says so and
changes nothing. Rows that were in a missing table do not come back.`,
		Args: output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.Add(cmd)
	cmd.Flags().BoolVar(&f.apply, "apply", false, "add what is missing, and not only say so")
	return cmd
}

func (f *flags) run(cmd *cobra.Command) (err error) {
	runner, err := f.Runner()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	do := runner.Verify
	if f.apply {
		do = runner.Repair
	}
	v, err := do(cmd.Context())
	var refusal *migrate.Error
	if err != nil && (!errors.As(err, &refusal) || len(v.Refused) == 0) {
		return err
	}
	if printErr := verify.Print(cmd.OutOrStdout(), f.Format, v); printErr != nil {
		return printErr
	}
	if f.Format == output.Text {
		f.explain(cmd.OutOrStdout(), v)
	}
	return err
}

// explain says what is added, and why it is not.
func (f *flags) explain(w io.Writer, v migrate.Verification) {
	for _, line := range v.Refused {
		_, _ = fmt.Fprintln(w, "Has to be mended by hand:", line)
	}
	verb := "Would add"
	switch {
	case len(v.Refused) > 0:
		verb = "Could add then"
	case f.apply && v.Managed:
		verb = "Added"
	}
	for _, object := range v.Additions {
		_, _ = fmt.Fprintln(w, verb+":", object)
	}
	for _, note := range v.Empty {
		_, _ = fmt.Fprintln(w, "Its rows do not come back:", note)
	}
	if !f.apply && len(v.Additions) > 0 && len(v.Refused) == 0 {
		_, _ = fmt.Fprintln(w, "Nothing was changed; --apply adds it.")
	}
}
