package bundle_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// compareRecordedRows compares all rows of a database.
func compareRecordedRows(t *testing.T, p place, want recorded.Database) {
	t.Helper()
	got, err := recorded.Dump(t.Context(), p.db, p.dialect)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range recorded.Compare(want, got) {
		t.Error(difference)
	}
}

// alembicOnly is how the records call a database that Alembic alone has built.
const alembicOnly = "alembic-only"

func birthOf(c recorded.Case) bundle.Birth {
	if c.Path == alembicOnly {
		return bundle.BirthAlembic
	}
	return bundle.BirthPeewee
}

// TestRecordedCases runs all recorded rows.
func TestRecordedCases(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, c := range recorded.Cases(t) {
		for dialect, open := range engines {
			outcome := c.Outcome[dialect].Result
			seen[outcome]++
			t.Run(c.Name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, c.LoadAt.Order, birthOf(c))
				p.load(t, c.Before(t))
				if outcome == recorded.ResultRefused {
					refuse(t, p, c.LoadAt.Order, birthOf(c))
					return
				}
				p.migrate(t, newest, birthOf(c))
				compareRecordedRows(t, p, c.After(t, dialect))
			})
		}
	}
	want := map[string]int{recorded.ResultOK: 57, recorded.ResultRefused: 45}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("the outcomes of the cases differ (-want +recorded):\n%s", diff)
	}
}

// refuse wants a run that changes nothing.
func refuse(t *testing.T, p place, at int, birth bundle.Birth) {
	t.Helper()
	old, before := p.catalog(t), p.rows(t)
	res, err := p.run(t, newest, birth, nil)
	checkRefusal(t, res, err)
	if res.From != at || res.To != at || res.Applied != 0 {
		t.Errorf("the result is %+v, want nothing applied", res)
	}
	compareCatalogs(t, at, old, p.catalog(t), true)
	if diff := cmp.Diff(before.lines(old), p.rows(t).lines(old)); diff != "" {
		t.Errorf("a refused run changed rows (-before +after):\n%s", diff)
	}
}

// checkRefusal wants one failed check, told without the data.
func checkRefusal(t *testing.T, res result.Result, err error) {
	t.Helper()
	var refusal *migrate.Error
	if !errors.As(err, &refusal) || res.Outcome != result.Refused || res.Reason != result.ReasonPreflight {
		t.Fatalf("the run ended as %s/%s, want %s/%s: %v",
			res.Outcome, res.Reason, result.Refused, result.ReasonPreflight, err)
	}
	if checks := refusal.Failure.Checks; len(checks) != 1 || checks[0].Rows < 1 {
		t.Errorf("the failed checks are %+v, want one that finds rows", checks)
	}
	if text := err.Error(); strings.Contains(text, "{not json") || strings.Contains(text, "oops") {
		t.Errorf("the refusal quotes the data: %v", err)
	}
}
