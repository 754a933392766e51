package bundle_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// recordedFiles returns what was recorded of the application's database, or
// skips the test: the records are kept beside the repository, not in it.
func recordedFiles(tb testing.TB) fs.FS {
	tb.Helper()
	return os.DirFS(recorded.Dir(tb))
}

func readText(tb testing.TB, fsys fs.FS, name string) string {
	tb.Helper()
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// recordedTable is a table as it was recorded.
type recordedTable struct {
	Columns []struct {
		Name     string  `json:"name"`
		Position int     `json:"position"`
		Type     string  `json:"type"`
		NotNull  bool    `json:"not_null"`
		Default  *string `json:"default"`
	} `json:"columns"`
	PrimaryKey  *recordedKey  `json:"primary_key"`
	Unique      []recordedKey `json:"unique"`
	ForeignKeys []struct {
		recordedKey
		RefTable   string   `json:"ref_table"`
		RefColumns []string `json:"ref_columns"`
		OnDelete   string   `json:"on_delete"`
		OnUpdate   string   `json:"on_update"`
	} `json:"foreign_keys"`
	Indexes []struct {
		Definition      string `json:"definition"`
		BacksConstraint bool   `json:"backs_constraint"`
	} `json:"indexes"`
	Autoincrement bool `json:"autoincrement"`
}

type recordedKey struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// recordedCatalog returns the catalog that the application's own tools leave at
// a revision, nothing for revision 0.
func recordedCatalog(records fs.FS, dialect step.Dialect, version int, birth bundle.Birth) (snapshot, error) {
	out := snapshot{order: map[string][]string{}}
	if version == 0 {
		return out, nil
	}
	name, err := catalogName(records, dialect, version, birth)
	if err != nil {
		return snapshot{}, err
	}
	text, err := fs.ReadFile(records, name)
	if err != nil {
		return snapshot{}, err
	}
	var content struct {
		Tables    map[string]recordedTable `json:"tables"`
		Sequences []struct {
			Name    string `json:"name"`
			OwnedBy string `json:"owned_by"`
		} `json:"sequences"`
	}
	if err := json.Unmarshal(text, &content); err != nil {
		return snapshot{}, fmt.Errorf("%s: %w", name, err)
	}
	for table, t := range content.Tables {
		if !slices.Contains(tracking, table) {
			out.add(table, t, dialect)
		}
	}
	for _, s := range content.Sequences {
		if s.Name != "migratehistory_id_seq" {
			out.lines = append(out.lines, fmt.Sprintf("sequence %s of %s", s.Name, s.OwnedBy))
		}
	}
	slices.Sort(out.lines)
	return out, nil
}

// catalogName finds the file. The edition of 0.9.5 has one only where it
// differs.
func catalogName(records fs.FS, dialect step.Dialect, version int, birth bundle.Birth) (string, error) {
	dirs := map[bundle.Birth][]string{
		bundle.BirthPeewee:    {"golden"},
		bundle.BirthPeewee095: {"golden-via-0.9.5", "golden"},
		bundle.BirthAlembic:   {"golden-alembic-only"},
	}
	for _, dir := range dirs[birth] {
		names, err := fs.Glob(records, fmt.Sprintf("%s/%s/%03d-*.json", dir, dialect, version))
		if err != nil {
			return "", err
		}
		if len(names) == 1 {
			return names[0], nil
		}
	}
	return "", fmt.Errorf("no catalog of revision %d was recorded for %s and birth %s", version, dialect, birth)
}

// add describes a table as readCatalog does.
func (c *snapshot) add(table string, t recordedTable, dialect step.Dialect) {
	add := func(format string, args ...any) { c.lines = append(c.lines, fmt.Sprintf(format, args...)) }
	named := func(name string) string {
		if dialect == step.SQLite {
			return ""
		}
		return name
	}
	order := make([]string, len(t.Columns))
	for _, col := range t.Columns {
		order[col.Position-1] = col.Name
		add("column %s.%s %s %t %s", table, col.Name, col.Type, col.NotNull, deref(col.Default))
	}
	c.order[table] = order
	add("table %s %t", table, t.Autoincrement)
	if t.PrimaryKey != nil {
		add("primary key %s %s %s", table, named(t.PrimaryKey.Name), list(t.PrimaryKey.Columns))
	}
	for _, key := range t.Unique {
		if dialect == step.SQLite && t.PrimaryKey != nil && slices.Equal(key.Columns, t.PrimaryKey.Columns) {
			continue // SQLite makes no index for it; internal/catalog compares it.
		}
		add("unique %s %s %s", table, named(key.Name), list(key.Columns))
	}
	for _, key := range t.ForeignKeys {
		add("foreign key %s %s %s %s %s %s %s", table, named(key.Name), list(key.Columns),
			key.RefTable, list(key.RefColumns), key.OnDelete, key.OnUpdate)
	}
	for _, index := range t.Indexes {
		if index.Definition != "" && !index.BacksConstraint {
			add("index %s", index.Definition)
		}
	}
}

func deref(s *string) string {
	if s == nil {
		return "NULL"
	}
	return *s
}
