package migrate

import (
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// TestElsewhere: where the application would find its tables in another schema
// than the one that is asked for, nothing is installed beside it.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(2)...)
	pooler := postgres.StartPgBouncer(t, postgres.Shared(t), postgres.PoolTransaction)
	const option = "&options=-csearch_path%3Dwebui"
	tests := map[string]struct {
		tables, url, database, schema string
		pooled                        bool
		refused                       string // empty: it is installed
	}{
		"in the URL":             {tables: "alembic_version", url: option, refused: "alembic_version"},
		"Peewee's":               {tables: "migratehistory", url: option, refused: "migratehistory"},
		"the application's":      {tables: "t other", url: option, refused: "t"},
		"of the database":        {tables: "alembic_version t", database: "webui, public", refused: "alembic_version, t"},
		"behind":                 {tables: "alembic_version", database: "public, webui", refused: "alembic_version"},
		"through a pooler":       {tables: "alembic_version", database: "webui", pooled: true, refused: "alembic_version"},
		"named like the role":    {tables: "alembic_version", database: `"$user", public`, refused: "alembic_version"},
		"nothing of the kind":    {tables: "other", url: option},
		"not in the path":        {tables: "alembic_version"},
		"a schema that is named": {tables: "alembic_version", url: option, schema: "mine"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPostgres(t)
			other := "webui"
			if strings.Contains(tt.database, "$user") {
				other = "postgres" // whom the tests log in as
			}
			p.exec(t, "CREATE SCHEMA mine; CREATE SCHEMA "+other)
			for table := range strings.FieldsSeq(tt.tables) {
				p.exec(t, "CREATE TABLE "+other+"."+table+" (version_num varchar(32))")
			}
			if tt.database != "" {
				p.exec(t, "ALTER DATABASE "+p.text(t, "SELECT quote_ident(current_database())")+" SET search_path = "+tt.database)
			}
			through := place{url: p.url + tt.url, db: p.db}
			if tt.pooled {
				through.url = pooler.URL(t, p.url)
			}
			o := through.options(t, b, files, "2")
			o.Schema = tt.schema
			got := migrateWith(t, o)
			if tt.refused == "" {
				if got.err != nil {
					t.Error(got.err)
				}
				return
			}
			e := got.failure(t, result.Permanent, result.ReasonUnknownDatabase)
			if want := "schema " + other + ": " + tt.refused; len(e.Failure.Found) != 1 || e.Failure.Found[0] != want {
				t.Errorf("found %q, want %q", e.Failure.Found, want)
			}
			if !strings.Contains(e.Error(), "spec.database.schema") {
				t.Errorf("the error names no remedy: %v", e)
			}
			p.want(t, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", "0")
		})
	}
}

// TestUnlimited: a timeout is switched off where the server has it, and no error
// where it does not.
func TestUnlimited(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	tx, err := p.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := tx.ExecContext(t.Context(), "SET statement_timeout = 70000;"+
		unlimited("statement_timeout", true)+unlimited("no_such_timeout", true)); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := tx.QueryRowContext(t.Context(), "SHOW statement_timeout").Scan(&got); err != nil || got != "0" {
		t.Errorf("the timeout is %s, want none: %v", got, err)
	}
	for set, local := range map[string]string{setLocal: "true", "SET": "false"} {
		if text := (&postgresEngine{}).settings(set); !strings.Contains(text, "set_config('transaction_timeout', '0', "+local+")") {
			t.Errorf("%s leaves transaction_timeout: %s", set, text)
		}
	}
	if outcome, reason := classOfState("25P04"); outcome != result.Transient || reason != result.ReasonUnreachable {
		t.Errorf("a transaction timeout is %s/%s", outcome, reason)
	}
}
