package bundle_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gomigrate "github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	stockpostgres "github.com/golang-migrate/migrate/v4/database/postgres"
	stocksqlite "github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"github.com/schemagate/schemagate/internal/bundle"
	people "github.com/schemagate/schemagate/internal/testing/history"
	"github.com/schemagate/schemagate/migrations"
)

// BenchmarkFreshInstall applies all revisions to an empty database, and has
// golang-migrate's stock driver do the same with the same files in turn. To that
// the directives of Go steps are comments; in an empty database they find nothing
// to do. "ratio" is our time divided by theirs: below 1 is faster.
func BenchmarkFreshInstall(b *testing.B) {
	for dialect, open := range engines {
		b.Run(string(dialect), func(b *testing.B) {
			var ours, theirs time.Duration
			for b.Loop() {
				p, q := open(b), open(b)
				began := time.Now()
				p.migrate(b, newest, bundle.BirthPeewee)
				ours += time.Since(began)
				began = time.Now()
				q.stock(b)
				theirs += time.Since(began)
			}
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
			b.ReportMetric(ours.Seconds()/float64(b.N), "s")
			b.ReportMetric(theirs.Seconds()/float64(b.N), "stock-s")
			b.ReportMetric(0, "ns/op") // it would count both
		})
	}
}

// stock runs golang-migrate with its own driver.
func (p place) stock(b *testing.B) {
	b.Helper()
	source, err := iofs.New(migrations.OpenWebUI(), string(p.dialect))
	if err != nil {
		b.Fatal(err)
	}
	var db *sql.DB
	var driver database.Driver
	if p.dialect == "postgres" {
		if db, err = sql.Open("postgres", p.url); err != nil {
			b.Fatal(err)
		}
		driver, err = stockpostgres.WithInstance(db, &stockpostgres.Config{})
	} else {
		if db, err = sql.Open("sqlite", strings.TrimPrefix(p.url, "sqlite:///")); err != nil {
			b.Fatal(err)
		}
		driver, err = stocksqlite.WithInstance(db, &stocksqlite.Config{})
	}
	if err != nil {
		b.Fatal(err)
	}
	m, err := gomigrate.NewWithInstance("iofs", source, string(p.dialect), driver)
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Up(); err != nil {
		b.Fatal(err)
	}
	sourceErr, databaseErr := m.Close()
	if err := errors.Join(sourceErr, databaseErr); err != nil {
		b.Fatal(err)
	}
}

// line is what the program writes about a revision, or in the end.
type line struct {
	Kind            string  `json:"kind"`
	Revision        int     `json:"revision"`
	DurationSeconds float64 `json:"durationSeconds"`
	Outcome         string  `json:"outcome"`
	To              int     `json:"to"`
}

func lines(tb testing.TB, output []byte) (out []line) {
	tb.Helper()
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var l line
		err := decoder.Decode(&l)
		if err == io.EOF {
			return out
		}
		if err != nil {
			tb.Fatalf("%v, in\n%s", err, output)
		}
		out = append(out, l)
	}
}

// BenchmarkLargeHistory migrates 20,000 chats of 20 messages from revision 22 to
// the last one, in a process of its own, and compares the two heaviest revisions
// with the database's own work on the same bytes. SCHEMAGATE_BENCH_CHATS is
// another number of chats.
func BenchmarkLargeHistory(b *testing.B) {
	size := people.Size{Chats: number(b, "SCHEMAGATE_BENCH_CHATS", 20_000), Messages: 20}
	for dialect, open := range engines {
		b.Run(string(dialect), func(b *testing.B) {
			for b.Loop() {
				benchLargeHistory(b, open(b), size)
			}
			b.ReportMetric(0, "ns/op") // it would count loading
		})
	}
}

func benchLargeHistory(b *testing.B, p place, size people.Size) {
	b.Helper()
	p.migrate(b, people.Revision, bundle.BirthPeewee)
	if err := people.Load(b.Context(), p.db, p.dialect, size); err != nil {
		b.Fatal(err)
	}
	statements := floors[string(p.dialect)]
	if string(p.dialect) == "postgres" {
		b.ReportMetric(p.megabytes(b, "chat"), "chat-MB")
	}
	b.ReportMetric(p.timed(b, statements[23]), "floor-23-s")
	total, peak, output := p.measured(b, newest)
	b.ReportMetric(total, "total-s")
	b.ReportMetric(peak, "peak-MiB")
	for _, l := range lines(b, output) {
		if l.Kind == "applied" && l.DurationSeconds > total/40 {
			b.ReportMetric(l.DurationSeconds, fmt.Sprintf("revision-%d-s", l.Revision))
		}
	}
	b.ReportMetric(p.timed(b, statements[49]), "floor-49-s")
}

// BenchmarkHeavyRevisions does the same with a process for each heavy revision,
// whose peak is that revision's.
func BenchmarkHeavyRevisions(b *testing.B) {
	size := people.Size{Chats: number(b, "SCHEMAGATE_BENCH_CHATS", 20_000), Messages: 20}
	for dialect, open := range engines {
		b.Run(string(dialect), func(b *testing.B) {
			for b.Loop() {
				p := open(b)
				p.migrate(b, people.Revision, bundle.BirthPeewee)
				if err := people.Load(b.Context(), p.db, p.dialect, size); err != nil {
					b.Fatal(err)
				}
				for _, heavy := range []int{23, 24, 49, 68, 76} {
					p.migrate(b, heavy-1, bundle.BirthPeewee)
					seconds, peak, _ := p.measured(b, heavy)
					b.ReportMetric(seconds, fmt.Sprintf("revision-%d-s", heavy))
					b.ReportMetric(peak, fmt.Sprintf("revision-%d-MiB", heavy))
				}
			}
			b.ReportMetric(0, "ns/op") // it would count loading
		})
	}
}

// megabytes is how large PostgreSQL keeps a table, without indexes.
func (p place) megabytes(b *testing.B, table string) float64 {
	b.Helper()
	var bytes float64
	if err := p.db.QueryRowContext(b.Context(), "SELECT pg_table_size(to_regclass($1))", table).Scan(&bytes); err != nil {
		b.Fatal(err)
	}
	return bytes / 1e6
}

// measured migrates in a process of its own.
func (p place) measured(b *testing.B, target int) (seconds, peakMiB float64, output []byte) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "peak")
	cmd := p.program(b, "migrate", fmt.Sprintf("--to=%d", target), "--output=json")
	cmd.Env = append(cmd.Env, envPeak+"="+file)
	began := time.Now()
	output, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v: %s", err, output)
	}
	seconds = time.Since(began).Seconds()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	kilobytes, err := strconv.Atoi(string(text))
	if err != nil {
		b.Fatal(err)
	}
	return seconds, float64(kilobytes) / 1024, output
}

// floors are what the databases need for the bytes of a revision.
var floors = map[string]map[int]string{
	"postgres": {
		23: `ALTER TABLE chat ALTER COLUMN chat TYPE json USING chat::json`,
		49: `CREATE TABLE floor (LIKE chat_message INCLUDING ALL); INSERT INTO floor SELECT * FROM chat_message`,
	},
	"sqlite": {
		23: `CREATE TABLE floor AS SELECT * FROM chat`,
		49: `CREATE TABLE floor AS SELECT * FROM chat_message`,
	},
}

// timed runs statements in a transaction that it takes back, and returns how many
// seconds they took.
func (p place) timed(tb testing.TB, statements string) float64 {
	tb.Helper()
	tx, err := p.db.BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	began := time.Now()
	if _, err := tx.ExecContext(tb.Context(), statements); err != nil {
		tb.Fatal(err)
	}
	took := time.Since(began).Seconds()
	if err := tx.Rollback(); err != nil {
		tb.Fatal(err)
	}
	return took
}
