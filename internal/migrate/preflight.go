package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// check is a preflight check of a revision that is about to be applied.
type check struct {
	bundle.Check
	revision int
	engine   bundle.Engine
}

// runChecks runs all checks, so that whoever has to mend the data sees
// everything at once, and refuses if any of them finds something.
func runChecks(ctx context.Context, q step.Tx, dialect step.Dialect, steps step.Set, checks []check) error {
	var failed []result.Check
	var text strings.Builder
	for _, c := range checks {
		rows, err := c.count(ctx, q, dialect, steps)
		if err != nil {
			return &Error{
				Outcome: classify(err).Outcome, Reason: classify(err).Reason, Err: err,
				Message: fmt.Sprintf("preflight check %s of revision %d", c.Name, c.revision),
				Failure: withRevision(classify(err).Failure, c.revision),
			}
		}
		if rows == 0 {
			continue
		}
		failed = append(failed, result.Check{Name: c.Name, Revision: c.revision, Rows: rows})
		fmt.Fprintf(&text, "\nrevision %d, check %s: %d %s. %s", c.revision, c.Name, rows, c.Finds, c.Remedy)
		if query := c.Query[c.engine]; query != "" {
			fmt.Fprintf(&text, "\n  to see them: %s", strings.TrimSpace(query))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	e := refused(result.ReasonPreflight, "the data is not ready for the migration, and nothing was changed by it:%s", text.String())
	e.Failure.Checks = failed
	return e
}

func withRevision(f result.Failure, revision int) result.Failure {
	f.Revision, f.Direction = revision, string(Up)
	return f
}

// count returns the number of offending rows that the check's query and step
// find together.
func (c check) count(ctx context.Context, q step.Tx, dialect step.Dialect, steps step.Set) (int64, error) {
	var total int64
	if query := strings.TrimRight(strings.TrimSpace(c.Query[c.engine]), ";"); query != "" {
		// The line break keeps a trailing comment of the query from swallowing
		// the parenthesis.
		if err := q.QueryRowContext(ctx, "SELECT count(*) FROM ("+query+"\n) AS offending").Scan(&total); err != nil {
			return 0, err
		}
	}
	if c.Step == "" {
		return total, nil
	}
	fn := steps.Checks[c.Step]
	if fn == nil {
		return 0, permanent(result.ReasonBundleInvalid, "the check %s is not part of this program", c.Step)
	}
	rows, err := fn(ctx, step.NewCheckRun(q, dialect))
	return total + rows, err
}
