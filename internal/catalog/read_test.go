package catalog_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the SQLite driver

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

func newPostgres(t *testing.T) *sql.DB {
	t.Helper()
	return postgres.Open(t, postgres.Shared(t).NewDatabase(t))
}

func newSQLite(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Closing a database: %v", err)
		}
	})
	// Temporary tables belong to a connection.
	db.SetMaxOpenConns(1)
	return db
}

func exec(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
}

func read(t *testing.T, q catalog.Querier, engine bundle.Engine, schema string) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Read(t.Context(), q, engine, schema)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// counter counts queries.
type counter struct {
	catalog.Querier
	queries int
}

func (c *counter) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	c.queries++
	return c.Querier.QueryContext(ctx, query, args...)
}
