package catalog_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// invented has a table that comes, one that changes and goes, and all that
// appears and disappears beside tables.
func invented(engine bundle.Engine) catalog.Histories {
	id := catalog.Column{Name: "id", Position: 1, Type: "integer", NotNull: true, Default: "'<&>'"}
	one := &catalog.Table{Columns: []catalog.Column{id}}
	two := &catalog.Table{Columns: []catalog.Column{id, {Name: "b", Position: 2, Type: "text"}}}
	at := func(tables map[string]*catalog.Table) *catalog.Catalog {
		return &catalog.Catalog{Engine: engine, Tables: tables}
	}
	first, second, third := at(map[string]*catalog.Table{"a": one}), at(map[string]*catalog.Table{"a": two, "b": one}), at(map[string]*catalog.Table{"b": one})
	second.Sequences = []catalog.Sequence{{Name: "s", OwnedBy: "a.id"}}
	second.Views = []catalog.View{{Name: "v", Definition: "SELECT 1"}}
	return catalog.Histories{
		bundle.BirthPeewee:    {1: first, 2: second, 3: third},
		bundle.BirthPeewee095: {},
		bundle.BirthAlembic:   {3: third},
	}
}

func encode(t *testing.T, h catalog.Histories, engine bundle.Engine) string {
	t.Helper()
	var out strings.Builder
	if err := h.Encode(&out, engine); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHistoriesRoundTrip(t *testing.T) {
	t.Parallel()
	want := invented(bundle.Postgres)
	text := encode(t, want, bundle.Postgres)
	got, err := catalog.DecodeHistories([]byte(text), bundle.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if again := encode(t, got, bundle.Postgres); again != text {
		t.Errorf("encoded again:\n%s", cmp.Diff(text, again))
	}
	if strings.Contains(text, "position") {
		t.Errorf("positions are written, though the order tells them:\n%s", text)
	}
	if line := `{"revision":3,"dropped":["a"],"sequences":[],"views":[]}`; !strings.Contains(text, line) {
		t.Errorf("no line %s, which tells nothing of the table that stays as it is:\n%s", line, text)
	}
	if n := strings.Count(text, "'<&>'"); n != 3 {
		t.Errorf("the tables are described %d times, want a once for each of its forms, and b once:\n%s", n, text)
	}
}

// A new revision adds lines and changes none but the last of a list.
func TestHistoriesGrowByLines(t *testing.T) {
	t.Parallel()
	histories := invented(bundle.SQLite)
	after := encode(t, histories, bundle.SQLite)
	delete(histories[bundle.BirthPeewee], 3)
	trim := func(text string) map[string]bool {
		out := map[string]bool{}
		for line := range strings.Lines(text) {
			out[strings.TrimRight(line, ",\n")] = true
		}
		return out
	}
	lines := trim(after)
	for line := range trim(encode(t, histories, bundle.SQLite)) {
		if !lines[line] {
			t.Errorf("the line %s is gone", line)
		}
	}
}

func TestDecodeHistoriesRefuses(t *testing.T) {
	t.Parallel()
	good := encode(t, invented(bundle.Postgres), bundle.Postgres)
	for name, replace := range map[string][2]string{
		"no JSON":               {"{\n", "{{"},
		"another format":        {`"format": 1`, `"format": 2`},
		"another engine":        {`"engine": "postgres"`, `"engine": "sqlite"`},
		"revision twice":        {`"revision":2`, `"revision":1`},
		"table without columns": {`"tables":{"a":"`, `"tables":{"a":"0`},
		"unknown table dropped": {`"dropped":["a"]`, `"dropped":["c"]`},
	} {
		bad := strings.Replace(good, replace[0], replace[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing was replaced in:\n%s", name, good)
		}
		if _, err := catalog.DecodeHistories([]byte(bad), bundle.Postgres); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLoadSet(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	if _, err := catalog.LoadSet(files); err == nil {
		t.Error("a bundle without catalogs was loaded")
	}
	for _, engine := range bothEngines {
		files[catalog.File(engine)] = &fstest.MapFile{Data: []byte(encode(t, invented(engine), engine))}
	}
	set, err := catalog.LoadSet(files)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := set.At(bundle.SQLite, bundle.BirthAlembic, 2); known {
		t.Error("a revision before the first of a birth is known")
	}
	db := newSQLite(t)
	exec(t, db, "CREATE TABLE b (id INTEGER NOT NULL DEFAULT '<&>', mine TEXT); CREATE TABLE mine (id INTEGER)")
	for version, want := range map[int][]string{
		3: nil,
		2: {"table a is missing", "view v is missing"},
	} {
		difference, known, err := set.Compare(t.Context(), db, step.SQLite, "", version, bundle.BirthPeewee)
		got := difference.Drift()
		if version == 2 && len(got) == 3 {
			got = []string{got[0], got[2]} // between them the sequence, which SQLite never has
		}
		if diff := cmp.Diff(want, got); diff != "" || !known || err != nil {
			t.Errorf("revision %d: known %t, error %v (-want +got):\n%s", version, known, err, diff)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, known, err := set.Compare(t.Context(), db, step.SQLite, "", 4, bundle.BirthPeewee); known || err != nil {
		t.Errorf("an unknown revision: known %t, error %v; nothing has to be read for it", known, err)
	}
	if _, _, err := set.Compare(t.Context(), db, step.SQLite, "", 3, bundle.BirthPeewee); err == nil {
		t.Error("a closed database: no error")
	}
}
