// Package migrate is the command that brings a database to a revision.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/cmd/embedded"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/cmd/plan"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/tracing"
	"github.com/schemagate/schemagate/internal/version"
)

// flags are the values of the command's flags.
type flags struct {
	connection connection.Flags
	format     output.Format
	bundle     string
	options    migrate.Options
	adopt      string
	drift      string
	owner      migrate.Owner
	dryRun     bool
	fence      bool

	ignoreSessions []string
	resultFile     string
}

// NewCmd returns the command.
func NewCmd() *cobra.Command { return newCmd(embedded.Load) }

// newCmd returns the command with a source of bundles.
func newCmd(load func(string) (*embedded.Bundle, error)) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "migrate --to <revision>",
		Short: "Bring a database to a revision",
		Long: `Migrate brings a database to a revision: up, or down with --allow-downgrade.
It takes a lock, so that any number of them may run at once, and each revision
is one transaction. However it ends, the database is at one revision or the
next; a run that was interrupted is simply repeated.

A database that the application has migrated itself is recognized and adopted.

On PostgreSQL the role needs CONNECT and TEMPORARY on the database, and USAGE
and CREATE on the schema. It must own the application's tables, which it does
where the application uses it too. It needs no superuser.`,
		Example: `  schemagate migrate --database-url sqlite:///webui.db --to latest
  DATABASE_URL=postgresql://… schemagate migrate --to 0.11.0 --dry-run`,
		Args: output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), cmd, load) },
	}
	f.connection.Add(cmd)
	f.format.Add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.bundle, "bundle", embedded.OpenWebUI, "bundle of revisions; see schemagate bundle list")
	fs.StringVar(&f.options.Target, "to", "", "target: an order number, a Peewee or Alembic id, an application version of three parts, \"latest\" for the newest revision that this program can apply, or 0 for an empty database")
	fs.StringVar(&f.options.Birth, "birth", migrate.BirthAuto, "origin that an empty database gets: auto, peewee or alembic")
	fs.BoolVar(&f.options.AllowDowngrade, "allow-downgrade", false, "permit a target below the applied revision; data may be lost")
	fs.StringVar(&f.options.Expect, "expect", "", "refuse a database that is neither at this revision nor on the way from it to the target")
	fs.BoolVar(&f.options.RefuseFencing, "refuse-fencing", false, "refuse revisions that older releases of the application cannot live with, unless the database is empty")
	fs.BoolVar(&f.options.RefuseDestructive, "refuse-destructive", false, "refuse revisions that remove or reshape data, unless the database is empty")
	fs.BoolVar(&f.fence, "fence", false, "before a revision that older releases cannot live with, and before any way down, end idle sessions of the same role on PostgreSQL, and wait while sessions of others remain")
	fs.StringArrayVar(&f.ignoreSessions, "ignore-session", nil, "application_name of sessions that --fence does not count; may be repeated")
	fs.StringVar(&f.adopt, "adopt", string(migrate.AdoptAuto), "what to do with a database that the application has migrated: auto, never, or the revision to adopt it at, whatever is in its rows")
	fs.StringVar(&f.drift, "drift", string(migrate.DriftWarn), "what to do when tables, columns, keys or indexes are not what the applied revision leaves: ignore, warn, or block to refuse to migrate")
	fs.BoolVar(&f.options.TakeOwnership, "take-ownership", false, "take over a database that belongs to another owner; without --owner-… nobody owns it afterwards")
	fs.StringVar(&f.owner.Cluster, "owner-cluster", "", "cluster of the owner")
	fs.StringVar(&f.owner.Namespace, "owner-namespace", "", "namespace of the owner")
	fs.StringVar(&f.owner.Name, "owner-name", "", "name of the owner")
	fs.StringVar(&f.owner.UID, "owner-uid", "", "UID of the owner")
	fs.DurationVar(&f.options.LockTimeout, "lock-timeout", migrate.DefaultLockTimeout, "how long one statement may wait for a lock; it holds up the application meanwhile")
	fs.DurationVar(&f.options.StatementTimeout, "statement-timeout", 0, "how long one statement may run; 0 is no limit")
	fs.DurationVar(&f.options.RetryTimeout, "retry-timeout", migrate.DefaultRetryTimeout, "how long to try again without progress: after lock timeouts, deadlocks and lost connections, and while others migrate")
	fs.BoolVar(&f.dryRun, "dry-run", false, "check and print the plan, and change nothing")
	fs.StringVar(&f.resultFile, "result-file", "", "file for the result, as one line of JSON of at most 4096 bytes")
	return cmd
}

func (f *flags) run(ctx context.Context, cmd *cobra.Command, load func(string) (*embedded.Bundle, error)) error {
	reporter := newReporter(cmd.OutOrStdout(), f.format)
	// A migration does not fail for want of a trace, nor does its output change.
	if tracer, err := tracing.New(ctx, func(error) {}); err == nil {
		reporter = trace(ctx, tracer, reporter, f)
	}
	res, err := f.migrate(ctx, cmd, load, reporter)
	if res == nil {
		res = resultOf(err)
	}
	if f.dryRun && err == nil {
		return nil
	}
	told := errors.Join(f.writeResult(*res), reporter.end(*res))
	if err == nil && told == nil {
		return nil
	}
	coded := &exit.Error{Code: res.ExitCode(), Err: errors.Join(err, told)}
	switch {
	case res.Outcome == result.Done:
		// The database is at the target, but nobody may take that from an exit
		// code of 0: who waits for the result has none.
		coded.Code = result.ExitPermanent
	case f.format == output.JSON:
		// What the server said stays on terminals: this output is collected.
		coded.Err = told
	}
	return coded
}

// migrate returns a nil result when the engine was never asked.
func (f *flags) migrate(ctx context.Context, cmd *cobra.Command, load func(string) (*embedded.Bundle, error), reporter reporter) (res *result.Result, err error) {
	o, err := f.complete(load)
	if err != nil {
		return nil, err
	}
	o.Report = reporter.event
	runner, err := migrate.New(o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	if f.dryRun {
		return nil, f.plan(ctx, cmd, runner)
	}
	reporter.begin(runner)
	got, err := runner.Run(ctx)
	return &got, err
}

func (f *flags) plan(ctx context.Context, cmd *cobra.Command, runner *migrate.Runner) error {
	p, err := runner.Plan(ctx)
	if p != nil {
		if printErr := plan.Print(cmd.OutOrStdout(), f.format, p); printErr != nil {
			return printErr
		}
	}
	return err
}

// complete returns the options that the flags stand for.
func (f *flags) complete(load func(string) (*embedded.Bundle, error)) (migrate.Options, error) {
	o := f.options
	if o.Target == "" {
		return o, exit.Usage(errors.New("no target: give --to, such as --to latest"))
	}
	b, err := load(f.bundle)
	if err != nil {
		return o, exit.Usage(err)
	}
	if o.Database, err = f.connection.Database(); err != nil {
		return o, err
	}
	o.Bundle, o.Files, o.Steps, o.Catalogs = b.Bundle, b.Files, b.Steps, b.Catalogs
	o.Schema, o.ConnectTimeout = f.connection.Schema, f.connection.ConnectTimeout
	o.Adopt, o.Drift = migrate.Adoption(f.adopt), migrate.DriftPolicy(f.drift)
	o.Version = version.Version()
	switch {
	case f.fence:
		o.Fence = &migrate.Fence{Ignore: f.ignoreSessions}
	case len(f.ignoreSessions) > 0:
		return o, exit.Usage(errors.New("--ignore-session means nothing without --fence"))
	}
	if f.owner != (migrate.Owner{}) {
		o.Owner = &f.owner
	}
	return o, nil
}

// resultOf is the result of a run that never began.
func resultOf(err error) *result.Result {
	res := &result.Result{Kind: result.Kind, Outcome: result.Done}
	var engine *migrate.Error
	var url *dburl.Error
	switch {
	case err == nil:
	case errors.As(err, &engine):
		failure := engine.Failure
		res.Outcome, res.Reason, res.Failure = engine.Outcome, engine.Reason, &failure
	case errors.As(err, &url):
		res.Outcome, res.Reason = result.Usage, result.ReasonInvalidURL
	case exit.Code(err) == result.ExitUsage:
		res.Outcome, res.Reason = result.Usage, result.ReasonInvalidOption
	default:
		res.Outcome, res.Reason = result.Permanent, result.ReasonInternal
	}
	return res
}

func (f *flags) writeResult(res result.Result) error {
	if f.resultFile == "" {
		return nil
	}
	line, err := res.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.resultFile, line, 0o600); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}
