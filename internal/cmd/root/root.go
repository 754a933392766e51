// Package root is the command line as a whole.
package root

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/schemagate/schemagate/internal/cmd/bundle"
	"github.com/schemagate/schemagate/internal/cmd/catalog"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/cmd/manager"
	"github.com/schemagate/schemagate/internal/cmd/migrate"
	"github.com/schemagate/schemagate/internal/cmd/plan"
	"github.com/schemagate/schemagate/internal/cmd/repair"
	"github.com/schemagate/schemagate/internal/cmd/status"
	"github.com/schemagate/schemagate/internal/cmd/verify"
	"github.com/schemagate/schemagate/internal/cmd/version"
)

// NewCmd returns the root command.
func NewCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schemagate",
		Short: "Brings the database of an application to the schema it needs",
		Long: `schemagate brings the database of an application to the schema that a release
needs, adopts existing databases, and never leaves one between two revisions.

Exit codes: 0 done, 10 usage, 11 transient (try again later), 12 permanent,
13 refused by a preflight check or a policy, 14 locked by others; verify ends with
15 when it finds drift.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		Args:              unknownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.SetFlagErrorFunc(flagError)
	// cobra's own "help" repeats its arguments; --help takes none.
	cmd.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true})
	cmd.AddCommand(migrate.NewCmd(), plan.NewCmd(), status.NewCmd(), verify.NewCmd(), repair.NewCmd(),
		bundle.NewCmd(), catalog.NewCmd(), version.NewCmd(), manager.NewCmd())
	return cmd
}

// Run executes the root command and returns the exit code.
func Run(ctx context.Context, cmd *cobra.Command, args []string, stdout, stderr io.Writer) int {
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	var coded *exit.Error
	if err != nil && (!errors.As(err, &coded) || coded.Err != nil) {
		// There is nobody left to tell if this fails.
		_, _ = fmt.Fprintln(stderr, "schemagate:", err)
	}
	return exit.Code(err)
}

// unknownCommand does not repeat what was typed: it may be a URL.
func unknownCommand(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return exit.Usage(errors.New("unknown command; see schemagate --help"))
	}
	return nil
}

// flagError says what is wrong with a flag. pflag's own messages repeat values,
// and "-database-url=…", with one hyphen, would be repeated whole.
func flagError(_ *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var missing *pflag.NotExistError
	var needs *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &missing):
		return exit.Usage(errors.New("unknown flag; see --help"))
	case errors.As(err, &needs):
		return exit.Usage(fmt.Errorf("the flag --%s needs a value", needs.GetFlag().Name))
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		return exit.Usage(fmt.Errorf("the value of --%s is not valid: want a %s", flag.Name, flag.Value.Type()))
	}
	return exit.Usage(errors.New("the flags cannot be parsed; see --help"))
}
