package migrate

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

func TestSteps(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, append(chain(1),
		revisionSpec{up: "ALTER TABLE t ADD c2 integer;\n-- schemagate:step fill\nINSERT INTO t (id, c2) VALUES (2, 0);", down: "SELECT 1;"})...)
	tests := map[string]struct {
		step   step.Func
		reason result.Reason
		table  string
	}{
		"works": {step: func(ctx context.Context, run *step.Run) error {
			run.Progress(1, 2)
			return run.Insert(ctx, "t", []string{"id", "c2"}, [][]any{{10, 10}})
		}},
		"fails":  {step: func(context.Context, *step.Run) error { return errors.New("no") }, reason: result.ReasonStepFailed},
		"panics": {step: func(context.Context, *step.Run) error { panic("a value of a row") }, reason: result.ReasonStepFailed},
		"finds data it cannot convert": {step: func(context.Context, *step.Run) error {
			return &step.DataError{Table: "t", Rows: 3, Reason: "id is odd"}
		}, reason: result.ReasonStepFailed, table: "t"},
		"runs into a constraint": {step: func(ctx context.Context, run *step.Run) error {
			return run.Insert(ctx, "t", []string{"id"}, [][]any{{nil}})
		}, reason: result.ReasonSQLError},
		"is missing": {reason: result.ReasonBundleInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for engine, open := range engines {
				t.Run(engine, func(t *testing.T) {
					t.Parallel()
					p := open(t)

					p.migrate(t, b, files, "1")
					o := p.options(t, b, files, "2")
					if tt.step != nil {
						o.Steps = step.Set{Steps: map[string]step.Func{"fill": tt.step}}
					}
					progress := 0
					o.Report = func(e Event) {
						if e.Kind == EventProgress && e.Step == "fill" && e.Done == 1 && e.Total == 2 {
							progress++
						}
					}
					got := migrateWith(t, o)
					if tt.reason == "" {
						if got.err != nil || progress != 1 {
							t.Fatalf("%d reports, %v", progress, got.err)
						}
						p.want(t, "SELECT count(*) FROM t WHERE c2 IS NOT NULL", "2")
						return
					}
					failure := got.failure(t, result.Permanent, tt.reason).Failure
					want := result.Failure{Revision: 2, Direction: "up", Line: 3, Table: tt.table}
					if tt.step != nil {
						want.Step = "fill"
					}
					if tt.table != "" {
						want.Found = []string{"id is odd"}
					}
					if tt.reason != result.ReasonSQLError { // which says more, and differs
						if diff := cmp.Diff(want, failure); diff != "" {
							t.Errorf("the failure (-want +got):\n%s", diff)
						}
					}
					p.want(t, "SELECT version FROM schema_migrations", "1")
					p.want(t, "SELECT count(*) FROM t", "1")
				})
			}
		})
	}
}
