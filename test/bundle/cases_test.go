package bundle_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// final are the columns that the revisions without files leave as they find
// them. The rows were recorded after the last revision, so only these can be
// compared already.
var final = map[string][]string{
	"auth":      {"id", "email", "password", "active"},
	"chat":      {"id", "user_id", "title", "archived", "created_at", "updated_at"},
	"chatidtag": {"id", "tag_name", "chat_id", "user_id", "timestamp"},
	"document":  {"id", "collection_name", "name", "title", "filename", "content", "user_id", "timestamp"},
	"file":      {"id", "user_id", "filename", "hash", "created_at", "updated_at"},
	"function": {
		"id", "user_id", "name", "type", "content", "meta", "valves", "is_active", "is_global", "created_at", "updated_at",
	},
	"knowledge": {"id", "user_id", "name", "description", "meta", "created_at", "updated_at"},
	"memory":    {"id", "user_id", "content", "created_at", "updated_at"},
	"model":     {"id", "user_id", "base_model_id", "name", "meta", "params", "created_at", "updated_at"},
	"tool":      {"id", "user_id", "name", "content", "specs", "meta", "valves", "created_at", "updated_at"},
	"user":      {"id", "name", "email", "role", "profile_image_url", "created_at", "updated_at", "last_active_at"},
}

// compareRecordedRows compares the rows of a database at the newest revision
// that has files.
func compareRecordedRows(t *testing.T, p place, want recorded.Database) {
	t.Helper()
	got, err := recorded.Dump(t.Context(), p.db, p.dialect)
	if err != nil {
		t.Fatal(err)
	}
	order := p.catalog(t).order
	for table, columns := range final {
		for _, column := range columns {
			if !slices.Contains(order[table], column) {
				t.Errorf("there is no column %s.%s to compare", table, column)
			}
		}
	}
	onlyFinal(&want)
	onlyFinal(&got)
	for _, difference := range recorded.Compare(want, got) {
		t.Error(difference)
	}
}

// onlyFinal leaves the final columns, and no chats that are copies for sharing:
// those move to a table of their own.
func onlyFinal(d *recorded.Database) {
	out := map[string][]recorded.Row{}
	for table, columns := range final {
		out[table] = nil
		for _, row := range d.Tables[table] {
			owner, _ := row["user_id"].(string)
			if table == "chat" && strings.HasPrefix(owner, "shared-") {
				continue
			}
			kept := recorded.Row{}
			for _, column := range columns {
				kept[column] = row[column]
			}
			out[table] = append(out[table], kept)
		}
	}
	d.Tables = out
}

// TestRecordedCases runs the recorded rows of all revisions before the newest
// that has files.
func TestRecordedCases(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, c := range recorded.Cases(t) {
		if c.LoadAt.Order >= newest {
			continue
		}
		for dialect, open := range engines {
			outcome := c.Outcome[dialect].Result
			seen[outcome]++
			t.Run(c.Name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, c.LoadAt.Order, bundle.BirthPeewee)
				p.load(t, c.Before(t))
				if outcome == recorded.ResultRefused {
					refuse(t, p, c.LoadAt.Order)
					return
				}
				p.migrate(t, newest, bundle.BirthPeewee)
				compareRecordedRows(t, p, c.After(t, dialect))
			})
		}
	}
	want := map[string]int{recorded.ResultOK: 10, recorded.ResultRefused: 10}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("the outcomes of the cases differ (-want +recorded):\n%s", diff)
	}
}

// refuse wants a run that changes nothing.
func refuse(t *testing.T, p place, at int) {
	t.Helper()
	old, before := p.catalog(t), p.rows(t)
	res, err := p.run(t, newest, bundle.BirthPeewee, nil)
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
	if checks := refusal.Failure.Checks; len(checks) != 1 || checks[0].Rows != 1 {
		t.Errorf("the failed checks are %+v, want one that finds one row", checks)
	}
	if text := err.Error(); strings.Contains(text, "{not json") || strings.Contains(text, "oops") {
		t.Errorf("the refusal quotes the data: %v", err)
	}
}
