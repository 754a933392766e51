package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// The tables that are not part of any revision: ours, golang-migrate's, and
// the two that belong to the application.
const (
	tableVersion = "schema_migrations"
	tableHistory = "schemagate_history"
	tableOwner   = "schemagate_owner"
	tablePeewee  = "migratehistory"
	tableAlembic = "alembic_version"
)

// BookkeepingTables are the names of the tables that the engine and the
// application keep for themselves. They are no part of a catalog.
func BookkeepingTables() []string {
	return []string{tableVersion, tableHistory, tableOwner, tablePeewee, tableAlembic}
}

// literal quotes a string for SQL. Both engines take backslashes literally:
// SQLite always, PostgreSQL because standard_conforming_strings is set.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// createBookkeeping returns the statements that make the engine's tables.
// schema_migrations has golang-migrate's shape on either engine.
func createBookkeeping(dialect step.Dialect) []string {
	if dialect == step.Postgres {
		return []string{
			`CREATE TABLE IF NOT EXISTS ` + tableVersion + ` (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`,
			`CREATE TABLE IF NOT EXISTS ` + tableHistory + ` (
				sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
				revision integer NOT NULL, id text NOT NULL, direction text NOT NULL, birth text NOT NULL,
				checksum_up text NOT NULL, checksum_down text NOT NULL, duration_ms bigint NOT NULL,
				app_version text NOT NULL, schemagate_version text NOT NULL,
				applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp())`,
			`CREATE TABLE IF NOT EXISTS ` + tableOwner + ` (
				singleton integer PRIMARY KEY CHECK (singleton = 1),
				cluster text NOT NULL, namespace text NOT NULL, name text NOT NULL, uid text NOT NULL,
				claimed_at timestamp with time zone NOT NULL DEFAULT clock_timestamp())`,
		}
	}
	return []string{
		`CREATE TABLE IF NOT EXISTS ` + tableVersion + ` (version uint64, dirty bool)`,
		`CREATE UNIQUE INDEX IF NOT EXISTS version_unique ON ` + tableVersion + ` (version)`,
		`CREATE TABLE IF NOT EXISTS ` + tableHistory + ` (
			sequence INTEGER PRIMARY KEY AUTOINCREMENT,
			revision INTEGER NOT NULL, id TEXT NOT NULL, direction TEXT NOT NULL, birth TEXT NOT NULL,
			checksum_up TEXT NOT NULL, checksum_down TEXT NOT NULL, duration_ms INTEGER NOT NULL,
			app_version TEXT NOT NULL, schemagate_version TEXT NOT NULL,
			applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))`,
		`CREATE TABLE IF NOT EXISTS ` + tableOwner + ` (
			singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
			cluster TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
			claimed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))`,
	}
}

// writeVersion returns the statements that set the version; 0 is none.
func writeVersion(version int) []string {
	out := []string{"DELETE FROM " + tableVersion}
	if version > 0 {
		out = append(out, "INSERT INTO "+tableVersion+" (version, dirty) VALUES ("+strconv.Itoa(version)+", false)")
	}
	return out
}

// historyRow is one line of the history.
type historyRow struct {
	revision                 int
	id                       string
	direction                Direction
	birth                    string
	checksumUp, checksumDown string
	duration                 time.Duration
	app, schemagate          string
}

func writeHistory(h historyRow) string {
	return "INSERT INTO " + tableHistory +
		" (revision, id, direction, birth, checksum_up, checksum_down, duration_ms, app_version, schemagate_version) VALUES (" +
		strings.Join([]string{
			strconv.Itoa(h.revision), literal(h.id), literal(string(h.direction)), literal(h.birth),
			literal(h.checksumUp), literal(h.checksumDown), strconv.FormatInt(h.duration.Milliseconds(), 10),
			literal(h.app), literal(h.schemagate),
		}, ", ") + ")"
}

// writeOwner returns the statements that claim the database, or free it when
// owner is nil.
func writeOwner(owner *Owner) []string {
	out := []string{"DELETE FROM " + tableOwner}
	if owner != nil {
		out = append(out, "INSERT INTO "+tableOwner+" (singleton, cluster, namespace, name, uid) VALUES (1, "+
			strings.Join([]string{literal(owner.Cluster), literal(owner.Namespace), literal(owner.Name), literal(owner.UID)}, ", ")+")")
	}
	return out
}

// writeTracking returns the statements that bring the application's own tables
// from one content to another. They are the application's: their shape is what
// its tools create.
func writeTracking(dialect step.Dialect, from, to tracking) []string {
	return append(writePeewee(dialect, from.peewee, to.peewee), writeAlembic(from, to)...)
}

func writePeewee(dialect step.Dialect, from, to []string) []string {
	var out []string
	switch {
	case from != nil && to == nil:
		return []string{"DROP TABLE " + tablePeewee}
	case from == nil && to != nil:
		if dialect == step.Postgres {
			out = append(out, "CREATE TABLE "+tablePeewee+
				" (id serial NOT NULL PRIMARY KEY, name character varying(255) NOT NULL, migrated_at timestamp without time zone NOT NULL)")
		} else {
			out = append(out, `CREATE TABLE "`+tablePeewee+
				`" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(255) NOT NULL, "migrated_at" DATETIME NOT NULL)`)
		}
	}
	common := 0
	for common < len(from) && common < len(to) && from[common] == to[common] {
		common++
	}
	for _, name := range from[common:] {
		out = append(out, "DELETE FROM "+tablePeewee+" WHERE name = "+literal(name))
	}
	now := "timezone('UTC', clock_timestamp())"
	if dialect == step.SQLite {
		now = "strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')"
	}
	for _, name := range to[common:] {
		out = append(out, "INSERT INTO "+tablePeewee+" (name, migrated_at) VALUES ("+literal(name)+", "+now+")")
	}
	return out
}

func writeAlembic(from, to tracking) []string {
	insert := "INSERT INTO " + tableAlembic + " (version_num) VALUES (" + literal(to.alembic) + ")"
	switch {
	case to.alembic == "" && from.alembicTable:
		return []string{"DROP TABLE " + tableAlembic}
	case from.alembic == to.alembic:
		return nil
	case !from.alembicTable:
		return []string{
			"CREATE TABLE " + tableAlembic + " (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
			insert,
		}
	case from.alembic == "":
		return []string{insert}
	}
	return []string{"UPDATE " + tableAlembic + " SET version_num = " + literal(to.alembic)}
}

// readFingerprint reads what must not change between planning and running.
// alembic says whether alembic_version is expected to exist.
func readFingerprint(ctx context.Context, q step.Tx, alembic bool) (fingerprint, error) {
	app := "''"
	if alembic {
		app = "(SELECT count(*) || ' ' || max(version_num) FROM " + tableAlembic + ")"
	}
	row := q.QueryRowContext(ctx, "SELECT (SELECT max(version) FROM "+tableVersion+
		"), (SELECT count(*) FROM "+tableVersion+" WHERE dirty), (SELECT count(*) FROM "+tableHistory+
		"), (SELECT max("+ownerColumns+") FROM "+tableOwner+"), "+app)
	var version, dirty, rows sql.NullInt64
	var owner, revision sql.NullString
	if err := row.Scan(&version, &dirty, &rows, &owner, &revision); err != nil {
		return fingerprint{}, fmt.Errorf("reading the version: %w", err)
	}
	_, id, _ := strings.Cut(revision.String, " ")
	if alembic && revision.String != "1 "+id {
		id = "" // no row, or several: not what anything was planned for
	}
	return fingerprint{
		version: int(max(version.Int64, 0)), dirty: dirty.Int64 > 0, rows: rows.Int64,
		owner: owner.String, alembic: id,
	}, nil
}

// ownerColumns is the owner row as one string; no part can contain a line
// break.
const ownerColumns = "cluster || '\n' || namespace || '\n' || name || '\n' || uid"

// readHistory reads the whole history in order.
func readHistory(ctx context.Context, q step.Tx) (out []historyRow, err error) {
	rows, err := q.QueryContext(ctx, "SELECT revision, id, direction, birth, checksum_up, checksum_down FROM "+
		tableHistory+" ORDER BY sequence")
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var h historyRow
		if err := rows.Scan(&h.revision, &h.id, &h.direction, &h.birth, &h.checksumUp, &h.checksumDown); err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
		out = append(out, h)
	}
	return out, rows.Err()
}

// readNames reads one text column.
func readNames(ctx context.Context, q step.Tx, query string) (out []string, err error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Err()
}
