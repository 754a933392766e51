// Package root is the command line as a whole.
//
//go:generate go run ./generate ../../../docs/reference/flags.md
package root

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/schemagate/schemagate/internal/cmd/bundle"
	"github.com/schemagate/schemagate/internal/cmd/catalog"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/cmd/kubectl"
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
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	conventional(cmd)
	cmd.AddCommand(migrate.NewCmd(), plan.NewCmd(), status.NewCmd(), verify.NewCmd(), repair.NewCmd(),
		bundle.NewCmd(), catalog.NewCmd(), version.NewCmd(), manager.NewCmd(), kubectl.NewCmd())
	return cmd
}

// ForProgram returns the root command for the name by which the program was
// called, and the arguments for it: kubectl finds its plugins by name, and what
// completes their words, too.
func ForProgram(args []string) (*cobra.Command, []string) {
	name, arguments := "", []string{}
	if len(args) > 0 {
		name, arguments = strings.TrimSuffix(filepath.Base(args[0]), ".exe"), args[1:]
	}
	switch name {
	case kubectl.PluginName:
		return newPlugin(), arguments
	case kubectl.CompletionName:
		return newPlugin(), append([]string{cobra.ShellCompRequestCmd}, arguments...)
	}
	return NewCmd(), arguments
}

// newPlugin is the cluster's commands alone, as "kubectl schemagate".
func newPlugin() *cobra.Command {
	cmd := kubectl.NewPlugin()
	cmd.AddCommand(version.NewCmd())
	return conventional(cmd)
}

// conventional sets what both root commands have in common.
func conventional(cmd *cobra.Command) *cobra.Command {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.CompletionOptions = cobra.CompletionOptions{HiddenDefaultCmd: true}
	cmd.SetFlagErrorFunc(flagError)
	// cobra's own "help" repeats its arguments; --help takes none.
	cmd.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true})
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
