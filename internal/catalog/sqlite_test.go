package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
)

const liteEverything = `
CREATE TABLE "user" (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- a comment, with ) in it
	"group" VARCHAR(10) NOT NULL DEFAULT 'a, (b' COLLATE NOCASE,
	[na me] TEXT CONSTRAINT "named one" UNIQUE,
	` + "`constraint` TEXT" + `, dropped TEXT, untyped CONSTRAINT a NOT NULL CONSTRAINT b DEFAULT -1 UNIQUE,
	CONSTRAINT two UNIQUE ("group", [na me] COLLATE NOCASE DESC)
	CONSTRAINT "it's positive" CHECK (id > 0 /* ) */ AND ("group" <> ')')),
	CHECK (id < 10)
);
ALTER TABLE "user" DROP COLUMN dropped;
ALTER TABLE "user" ADD COLUMN added BIGINT DEFAULT (1 + 1);
CREATE TABLE everything (
	a TEXT, b TEXT NOT NULL,
	c TEXT GENERATED ALWAYS AS (a || b) STORED UNIQUE,
	d INT AS (length(a)),
	user_id INTEGER CONSTRAINT one REFERENCES "user" ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
	other INTEGER REFERENCES "user" (id) NOT DEFERRABLE,
	CONSTRAINT pk PRIMARY KEY (b, a),
	UNIQUE (b, a),
	UNIQUE (d, a),
	CONSTRAINT back FOREIGN KEY (a, b) REFERENCES everything (a, b) ON DELETE CASCADE ON UPDATE RESTRICT
) WITHOUT ROWID;
CREATE INDEX "by lower" ON everything (lower(a), b DESC) WHERE a IS NOT NULL;
CREATE UNIQUE INDEX plain ON everything(a);
CREATE VIEW names AS SELECT a FROM everything;
CREATE TEMP TABLE everything (hides TEXT);
CREATE TEMP TABLE temporary (id INTEGER);
CREATE TABLE schema_migrations (version uint64, dirty bool);
CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
CREATE TABLE schemagate_history (sequence INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE schemagate_owner (singleton INTEGER PRIMARY KEY);
CREATE TABLE migratehistory (id INTEGER PRIMARY KEY);
CREATE TABLE alembic_version (version_num TEXT PRIMARY KEY);
PRAGMA writable_schema = ON;
INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
	VALUES ('table', 'vectors', 'vectors', 0, 'CREATE VIRTUAL TABLE vectors USING unheard_of(a, UNIQUE (a))');
PRAGMA writable_schema = RESET`

func wantLiteEverything() *catalog.Catalog {
	return &catalog.Catalog{
		Engine: bundle.SQLite,
		Tables: map[string]*catalog.Table{
			"user": {
				Columns: []catalog.Column{
					{Name: "id", Position: 1, Type: "INTEGER"},
					{Name: "group", Position: 2, Type: "VARCHAR(10)", NotNull: true, Default: "'a, (b'"},
					{Name: "na me", Position: 3, Type: "TEXT"},
					{Name: "constraint", Position: 4, Type: "TEXT"},
					{Name: "untyped", Position: 5, NotNull: true, Default: "-1"},
					{Name: "added", Position: 6, Type: "BIGINT", Default: "1 + 1"},
				},
				PrimaryKey: &catalog.Key{Columns: []string{"id"}},
				Unique: []catalog.Key{
					{Columns: []string{"untyped"}},
					{Name: "named one", Columns: []string{"na me"}},
					{Name: "two", Columns: []string{"group", "na me"}},
				},
				Checks: []catalog.Check{
					{Definition: "id < 10"},
					{Name: "it's positive", Definition: `id > 0 /* ) */ AND ("group" <> ')')`},
				},
				Indexes: []catalog.Index{
					{Unique: true, Origin: catalog.OriginUnique, Columns: []string{"group", "na me"}},
					{Unique: true, Origin: catalog.OriginUnique, Columns: []string{"na me"}},
					{Unique: true, Origin: catalog.OriginUnique, Columns: []string{"untyped"}},
				},
				Autoincrement: true,
			},
			"everything": {
				Columns: []catalog.Column{
					{Name: "a", Position: 1, Type: "TEXT", NotNull: true},
					{Name: "b", Position: 2, Type: "TEXT", NotNull: true},
					{Name: "c", Position: 3, Type: "TEXT", Generated: "a || b", Stored: true},
					{Name: "d", Position: 4, Type: "INT", Generated: "length(a)"},
					{Name: "user_id", Position: 5, Type: "INTEGER"},
					{Name: "other", Position: 6, Type: "INTEGER"},
				},
				PrimaryKey: &catalog.Key{Name: "pk", Columns: []string{"b", "a"}},
				Unique: []catalog.Key{
					{Columns: []string{"b", "a"}}, {Columns: []string{"c"}}, {Columns: []string{"d", "a"}},
				},
				ForeignKeys: []catalog.ForeignKey{
					{Columns: []string{"other"}, RefTable: "user", RefColumns: []string{"id"}, OnDelete: "NO ACTION", OnUpdate: "NO ACTION"},
					{
						Name: "back", Columns: []string{"a", "b"}, RefTable: "everything", RefColumns: []string{"a", "b"},
						OnDelete: "CASCADE", OnUpdate: "RESTRICT",
					},
					{
						Name: "one", Columns: []string{"user_id"}, RefTable: "user", RefColumns: []string{"id"},
						OnDelete: "SET NULL", OnUpdate: "NO ACTION", Options: "DEFERRABLE INITIALLY DEFERRED",
					},
				},
				Indexes: []catalog.Index{
					{Unique: true, Origin: catalog.OriginPrimaryKey, Columns: []string{"b", "a"}},
					{Unique: true, Origin: catalog.OriginUnique, Columns: []string{"c"}},
					{Unique: true, Origin: catalog.OriginUnique, Columns: []string{"d", "a"}},
					{
						Name: "by lower", Origin: catalog.OriginCreateIndex, Columns: []string{"", "b"}, Partial: true,
						Definition: `CREATE INDEX "by lower" ON everything (lower(a), b DESC) WHERE a IS NOT NULL`,
					},
					{
						Name: "plain", Unique: true, Origin: catalog.OriginCreateIndex, Columns: []string{"a"},
						Definition: "CREATE UNIQUE INDEX plain ON everything(a)",
					},
				},
			},
			"vectors": {},
		},
		Views: []catalog.View{{Name: "names", Definition: "CREATE VIEW names AS SELECT a FROM everything"}},
	}
}

func TestReadSQLite(t *testing.T) {
	t.Parallel()
	db := newSQLite(t)
	exec(t, db, liteEverything)
	counted := &counter{Querier: db}
	got, want := read(t, counted, bundle.SQLite, "ignored"), wantLiteEverything()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if counted.queries > 4 {
		t.Errorf("%d queries", counted.queries)
	}
	if got.Fingerprint() != want.Fingerprint() {
		t.Error("the fingerprint differs")
	}
}

func TestReadSQLiteEmpty(t *testing.T) {
	t.Parallel()
	got := read(t, newSQLite(t), bundle.SQLite, "")
	want := &catalog.Catalog{Engine: bundle.SQLite, Tables: map[string]*catalog.Table{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
