package script

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body    string
		dialect step.Dialect
		want    Script
	}{
		"empty": {body: " \n-- only a comment\n/* and\nanother */\n;;\n"},
		"statements keep their lines": {
			body: "-- says why\nCREATE TABLE a (\n  id int\n);\n\nDROP TABLE b;DROP TABLE c",
			want: Script{Parts: []Part{
				{SQL: "CREATE TABLE a (\n  id int\n)", Line: 2},
				{SQL: "DROP TABLE b", Line: 6},
				{SQL: "DROP TABLE c", Line: 6},
			}},
		},
		"strings hide semicolons": {
			body: `INSERT INTO a VALUES ('it''s; "x'); SELECT "odd;""name";`,
			want: Script{Parts: []Part{
				{SQL: `INSERT INTO a VALUES ('it''s; "x')`, Line: 1},
				{SQL: `SELECT "odd;""name"`, Line: 1},
			}},
		},
		"a backslash escapes in E strings only": {
			body:    `SELECT E'a\';b', 'c\'; SELECT 1;`,
			dialect: step.Postgres,
			want:    Script{Parts: []Part{{SQL: `SELECT E'a\';b', 'c\'`, Line: 1}, {SQL: "SELECT 1", Line: 1}}},
		},
		"dollar quotes": {
			body:    "DO $$ BEGIN a; b; END $$;\nDO $x$ $$;$$ $x$; SELECT $1, a$b$; SELECT 2",
			dialect: step.Postgres,
			want: Script{Parts: []Part{
				{SQL: "DO $$ BEGIN a; b; END $$", Line: 1},
				{SQL: "DO $x$ $$;$$ $x$", Line: 2},
				{SQL: "SELECT $1, a$b$", Line: 2},
				{SQL: "SELECT 2", Line: 2},
			}},
		},
		"comments nest on PostgreSQL": {
			body: "SELECT 1 /* a; /* b; */ c; */ + 1; SELECT 2 -- d;\n;", dialect: step.Postgres,
			want: Script{Parts: []Part{{SQL: "SELECT 1 /* a; /* b; */ c; */ + 1", Line: 1}, {SQL: "SELECT 2 -- d;", Line: 1}}},
		},
		"comments do not nest on SQLite": {
			body: "SELECT 1 /* a; /* b; */ + 1; SELECT [a;b], `c;d`;", dialect: step.SQLite,
			want: Script{Parts: []Part{{SQL: "SELECT 1 /* a; /* b; */ + 1", Line: 1}, {SQL: "SELECT [a;b], `c;d`", Line: 1}}},
		},
		"a trigger on SQLite is one statement": {
			body: "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN\n SELECT CASE WHEN 1 THEN 2 END;\n DELETE FROM b;\nEND;\nSELECT 1;",
			want: Script{Parts: []Part{
				{SQL: "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN\n SELECT CASE WHEN 1 THEN 2 END;\n DELETE FROM b;\nEND", Line: 1},
				{SQL: "SELECT 1", Line: 5},
			}}, dialect: step.SQLite,
		},
		"an SQL-standard body is one statement": {
			body:    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
			dialect: step.Postgres,
			want: Script{Parts: []Part{
				{SQL: "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", Line: 1},
				{SQL: "SELECT 3", Line: 1},
			}},
		},
		"a step stands between statements": {
			body: "SELECT 1;\n-- schemagate:step model-files\r\nSELECT 2;\n",
			want: Script{Parts: []Part{{SQL: "SELECT 1", Line: 1}, {Step: "model-files", Line: 2}, {SQL: "SELECT 2", Line: 3}}},
		},
		"no transaction": {
			body: "-- schemagate:no-transaction\nCREATE INDEX CONCURRENTLY i ON a (b);",
			want: Script{NoTransaction: true, Parts: []Part{{SQL: "CREATE INDEX CONCURRENTLY i ON a (b)", Line: 2}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tt.body, tt.dialect)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want Error
	}{
		"no-transaction below the first line": {"SELECT 1;\n-- schemagate:no-transaction", Error{2, problemNoTxPlace}},
		"unknown directive":                   {"-- schemagate:later", Error{1, problemUnknown}},
		"step without a name":                 {"-- schemagate:step ", Error{1, problemStepName}},
		"step with two names":                 {"-- schemagate:step a b", Error{1, problemStepName}},
		"directive inside a statement":        {"SELECT 1\n-- schemagate:step a\n;", Error{2, problemInside}},
		"step without a transaction":          {"-- schemagate:no-transaction\n\n-- schemagate:step a", Error{3, problemStepNoTx}},
		"commit":                              {"SELECT 1;\n commit ;", Error{2, problemTransaction}},
		"start transaction":                   {"START  TRANSACTION", Error{1, problemTransaction}},
		"open string":                         {"SELECT 1;\nSELECT 'a", Error{2, "a string or quoted name does not end"}},
		"open comment":                        {"SELECT 1 /* a", Error{1, "a comment does not end"}},
		"open dollar quote":                   {"SELECT $a$ b", Error{1, "a string or quoted name does not end"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tt.body, step.Postgres)
			var got *Error
			if !errors.As(err, &got) || *got != tt.want {
				t.Errorf("Parse() = %v, want %v", err, &tt.want)
			}
		})
	}
}

// FuzzParse: whatever the text, Parse ends, and the statements it returns are
// pieces of the text at the lines it names.
func FuzzParse(f *testing.F) {
	f.Add("SELECT 1;\n-- c\nDO $$a;b$$", true)
	f.Add("CREATE TRIGGER t BEGIN a; END; [x", false)
	f.Fuzz(func(t *testing.T, body string, postgres bool) {
		dialect := step.SQLite
		if postgres {
			dialect = step.Postgres
		}
		got, err := Parse(body, dialect)
		if err != nil {
			return
		}
		for _, p := range got.Parts {
			if p.Line < 1 || (p.SQL == "") == (p.Step == "") {
				t.Errorf("Parse(%q) returned the part %+v", body, p)
			}
		}
	})
}
