package migrate

import (
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	gomigrate "github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	stockpostgres "github.com/golang-migrate/migrate/v4/database/postgres"
	stocksqlite "github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// The benchmarks compare with golang-migrate's stock drivers on the same files.
// "ratio" is our time divided by theirs: below 1 is faster.

// benchRevisions is about the number of revisions of a real bundle.
const benchRevisions = 75

// realistic is a chain whose revisions have as many statements as real ones.
func realistic(n int) []revisionSpec {
	specs := chain(n)
	for i := range specs {
		v := i + 1
		specs[i].up += fmt.Sprintf("\nCREATE TABLE t%d (id text NOT NULL PRIMARY KEY, user_id text, data text);"+
			"\nCREATE INDEX i%d ON t%d (user_id);\nINSERT INTO t%d (id) VALUES ('a;b'), ('c');", v, v, v, v)
		specs[i].down += fmt.Sprintf("\nDROP TABLE t%d;", v)
	}
	return specs
}

func BenchmarkFreshInstall(b *testing.B) { benchBoth(b, 0) }

func BenchmarkPerRevision(b *testing.B) { benchBoth(b, 1) }

// benchBoth migrates from a revision to the last, with either program in turn.
func benchBoth(b *testing.B, from int) {
	b.Helper()
	bun, files := bundleOf(b, realistic(benchRevisions)...)
	for _, engine := range []string{"postgres", "sqlite"} {
		b.Run(engine, func(b *testing.B) {
			newPlace := newPlaces(b, engine)
			var ours, theirs time.Duration
			for b.Loop() {
				b.StopTimer()
				p, q := newPlace(b), newPlace(b)
				if from > 0 {
					p.migrate(b, bun, files, fmt.Sprint(from))
					stock(b, engine, q, files, func(m *gomigrate.Migrate) error { return m.Migrate(uint(from)) })
				}
				began := time.Now()
				stock(b, engine, q, files, func(m *gomigrate.Migrate) error { return m.Up() })
				theirs += time.Since(began)
				b.StartTimer()
				ours += timed(b, p, bun, files)
			}
			n := float64(b.N * (benchRevisions - from))
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
			b.ReportMetric(float64(ours.Microseconds())/n, "µs/revision")
			b.ReportMetric(float64(theirs.Microseconds())/n, "stock-µs/revision")
			b.ReportMetric(0, "ns/op") // it would count the set-up of the loop
		})
	}
}

// newPlaces returns a function that makes databases of an engine. PostgreSQL is
// as durable as in production: commits are what differs.
func newPlaces(tb testing.TB, engine string) func(testing.TB) place {
	tb.Helper()
	if engine == "sqlite" {
		return newSQLite
	}
	server := postgres.Start(tb, postgres.Setting("fsync", "on"), postgres.Setting("synchronous_commit", "on"))
	return func(tb testing.TB) place {
		tb.Helper()
		u := server.NewDatabase(tb)
		return place{url: u, db: postgres.Open(tb, u)}
	}
}

func timed(b *testing.B, p place, bun *bundle.Bundle, files fs.FS) time.Duration {
	b.Helper()
	began := time.Now()
	p.migrate(b, bun, files, "latest")
	return time.Since(began)
}

// stock runs golang-migrate with its own driver.
func stock(b *testing.B, engine string, p place, files fs.FS, run func(*gomigrate.Migrate) error) {
	b.Helper()
	source, err := iofs.New(files, engine)
	if err != nil {
		b.Fatal(err)
	}
	var driver database.Driver
	if engine == "postgres" {
		db, openErr := sql.Open("postgres", p.url)
		if openErr != nil {
			b.Fatal(openErr)
		}
		driver, err = stockpostgres.WithInstance(db, &stockpostgres.Config{})
	} else {
		db, openErr := sql.Open("sqlite", strings.TrimPrefix(p.url, "sqlite:///"))
		if openErr != nil {
			b.Fatal(openErr)
		}
		driver, err = stocksqlite.WithInstance(db, &stocksqlite.Config{})
	}
	if err != nil {
		b.Fatal(err)
	}
	m, err := gomigrate.NewWithInstance("iofs", source, engine, driver)
	if err != nil {
		b.Fatal(err)
	}
	if err := run(m); err != nil {
		b.Fatal(err)
	}
	if sourceErr, databaseErr := m.Close(); sourceErr != nil || databaseErr != nil {
		b.Fatal(sourceErr, databaseErr)
	}
}
