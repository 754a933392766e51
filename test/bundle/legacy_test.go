package bundle_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestLegacyDatabases adopts databases that the application's own tools left at
// an old revision.
func TestLegacyDatabases(t *testing.T) {
	t.Parallel()
	records := recorded(t)
	for name, at := range map[string]int{"peewee-005": 5, "peewee-018-no-alembic": 18} {
		for dialect, open := range engines {
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.load(t, readText(t, records, fmt.Sprintf("legacy/%s/dump.%s.sql", name, dialect)))
				old, before := p.catalog(t), p.rows(t)

				res, err := p.run(t, newest, "", recordedCatalogs{records})
				if err != nil {
					t.Fatal(err)
				}
				if res.AdoptedAt != at || res.To != newest || res.Birth != string(bundle.BirthPeewee) {
					t.Errorf("the result is %+v, want a database adopted at %d and migrated to %d", res, at, newest)
				}
				want, err := recordedCatalog(records, dialect, newest, bundle.BirthPeewee)
				if err != nil {
					t.Fatal(err)
				}
				latest, after := p.catalog(t), p.rows(t)
				compareCatalogs(t, newest, want, latest, true)
				compareKept(t, before.lines(latest), after.lines(old))
				if got, want := len(after["knowledge"]), len(before["document"]); got != want {
					t.Errorf("%d documents became %d rows of knowledge", want, got)
				}
				if got, want := len(after["model"]), len(before["model"])+len(before["modelfile"]); got != want {
					t.Errorf("there are %d models, want %d", got, want)
				}
			})
		}
	}
}

// refusedCase is what was recorded of rows that the application's own tools
// refuse.
type refusedCase struct {
	at   int // the revision that the rows belong to
	rows string
}

func refusedCases(tb testing.TB) map[string]refusedCase {
	tb.Helper()
	records := recorded(tb)
	out := map[string]refusedCase{}
	for _, pattern := range []string{"cases/modelfile-refuse-*", "cases/documents-refuse-*"} {
		dirs, err := fs.Glob(records, pattern)
		if err != nil || len(dirs) == 0 {
			tb.Fatalf("%s: found %d cases, error %v", pattern, len(dirs), err)
		}
		for _, dir := range dirs {
			var about struct {
				LoadAt struct {
					Order int `json:"order"`
				} `json:"load_at"`
			}
			if err := json.Unmarshal([]byte(readText(tb, records, dir+"/case.json")), &about); err != nil {
				tb.Fatal(err)
			}
			out[path.Base(dir)] = refusedCase{at: about.LoadAt.Order, rows: readText(tb, records, dir+"/before.sql")}
		}
	}
	return out
}

func TestRefusedCases(t *testing.T) {
	t.Parallel()
	for name, test := range refusedCases(t) {
		for dialect, open := range engines {
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, test.at, bundle.BirthPeewee)
				p.load(t, test.rows)
				old, before := p.catalog(t), p.rows(t)

				res, err := p.run(t, newest, bundle.BirthPeewee, nil)
				checkRefusal(t, res, err)
				if res.From != test.at || res.To != test.at || res.Applied != 0 {
					t.Errorf("the result is %+v, want nothing applied", res)
				}
				compareCatalogs(t, test.at, old, p.catalog(t), true)
				if diff := cmp.Diff(before.lines(old), p.rows(t).lines(old)); diff != "" {
					t.Errorf("a refused run changed rows (-before +after):\n%s", diff)
				}
			})
		}
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
	if checks := refusal.Failure.Checks; len(checks) != 1 || checks[0].Rows != 1 {
		t.Errorf("the failed checks are %+v, want one that finds one row", checks)
	}
	if text := err.Error(); strings.Contains(text, "{not json") || strings.Contains(text, "oops") {
		t.Errorf("the refusal quotes the data: %v", err)
	}
}
