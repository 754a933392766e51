package migrate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// State is what a database says about itself.
type State struct {
	// Managed says that this package has migrated or adopted the database.
	Managed bool
	// Version is the applied revision, 0 for none. It is meaningful only in
	// a managed database.
	Version int
	// Birth is the recorded origin; empty when Version is 0.
	Birth bundle.Birth
	// Owner is who may migrate the database; nil when nobody has claimed it.
	Owner *Owner
	// Peewee are the names in the application's migratehistory, nil when there
	// is no such table; Alembic the rows of its alembic_version.
	Peewee  []string
	Alembic []string
	// Tables are the tables and views, bookkeeping left out, in order.
	Tables []string
	// NoFile says that there is no database file, which counts as an empty
	// database.
	NoFile bool

	dirty   bool
	rows    int64
	history []historyRow
	facts   schemaFacts
	// foreign is a version table that is not ours to touch.
	foreign bool
}

// Empty reports whether the database holds no revision and nothing else.
func (s State) Empty() bool { return s.Version == 0 && (s.Managed || len(s.Tables) == 0) }

// tracked is what the application's tables hold, as far as it is regular.
func (s State) tracked() tracking {
	t := tracking{peewee: s.Peewee, alembicTable: s.Alembic != nil}
	if len(s.Alembic) == 1 {
		t.alembic = s.Alembic[0]
	}
	return t
}

func (s State) fingerprint(alembic string) fingerprint {
	return fingerprint{version: s.Version, dirty: s.dirty, rows: s.rows, owner: s.Owner.key(), alembic: alembic}
}

// same reports whether two readings found the same database.
func (s State) same(o State) bool {
	return s.fingerprint("") == o.fingerprint("") && s.Managed == o.Managed &&
		slices.Equal(s.Peewee, o.Peewee) && slices.Equal(s.Alembic, o.Alembic) &&
		maps.EqualFunc(s.facts.tables, o.facts.tables, slices.Equal)
}

// readState reads everything that planning needs.
func readState(ctx context.Context, e engine, q step.Tx) (State, error) {
	facts, err := e.inspect(ctx, q)
	if err != nil {
		return State{}, err
	}
	s := State{facts: facts}
	for name := range facts.tables {
		if !slices.Contains(BookkeepingTables(), name) {
			s.Tables = append(s.Tables, name)
		}
	}
	sort.Strings(s.Tables)
	if err := s.readOurs(ctx, q); err != nil {
		return State{}, err
	}
	if facts.has(tablePeewee) {
		names, err := readNames(ctx, q, "SELECT name FROM "+tablePeewee+" ORDER BY name")
		if err != nil {
			return State{}, fmt.Errorf("reading %s: %w", tablePeewee, err)
		}
		s.Peewee = append([]string{}, names...)
	}
	if facts.has(tableAlembic) {
		ids, err := readNames(ctx, q, "SELECT version_num FROM "+tableAlembic+" ORDER BY version_num")
		if err != nil {
			return State{}, fmt.Errorf("reading %s: %w", tableAlembic, err)
		}
		s.Alembic = append([]string{}, ids...)
	}
	return s, e.verify(ctx, q, facts)
}

// readOurs reads the tables of this package. schema_migrations alone is not
// one of them: golang-migrate, Rails and others use the name.
func (s *State) readOurs(ctx context.Context, q step.Tx) error {
	facts := s.facts
	if !facts.has(tableHistory) || !facts.has(tableOwner) || !facts.has(tableVersion) {
		if !facts.has(tableVersion) {
			return nil
		}
		if !slices.Equal(facts.tables[tableVersion], []string{"version", "dirty"}) {
			s.foreign = true
			return nil
		}
		// golang-migrate makes the table when it merely connects.
		var n int
		err := q.QueryRowContext(ctx, "SELECT count(*) FROM "+tableVersion).Scan(&n)
		s.foreign = n > 0
		return err
	}
	have, err := readFingerprint(ctx, q, false)
	if err != nil {
		return err
	}
	s.Managed = true
	s.Version, s.dirty, s.rows, s.Owner = have.version, have.dirty, have.rows, parseOwner(have.owner)
	if s.history, err = readHistory(ctx, q); err != nil {
		return err
	}
	if n := len(s.history); n > 0 && s.Version > 0 {
		s.Birth = bundle.Birth(s.history[n-1].birth)
	}
	return nil
}

// applied replays the history: the rows in force, by revision, and the
// revision of the last adoption.
func (s State) applied() (rows map[int]historyRow, adopted int) {
	rows = map[int]historyRow{}
	for _, h := range s.history {
		switch h.direction {
		case Up:
			rows[h.revision] = h
		case Down:
			delete(rows, h.revision)
			adopted = min(adopted, h.revision-1)
		case repair:
			// It leaves the revision as it is.
		case adopt:
			rows, adopted = map[int]historyRow{}, h.revision
		}
	}
	return rows, adopted
}

// check finds what makes a managed database one that must not be touched.
// files are those for its birth.
func (s State) check(b *bundle.Bundle, files bundle.Files) error {
	if s.dirty {
		return permanent(result.ReasonDirty,
			"%s is marked dirty, which this program never does: another tool has failed here; repair the database, then clear the mark",
			tableVersion)
	}
	if s.Version > len(b.Revisions) {
		return permanent(result.ReasonAheadOfBundle,
			"the database is at revision %d, and this program knows %d: use the version of schemagate that brought it there, or a newer one",
			s.Version, len(b.Revisions))
	}
	rows, adopted := s.applied()
	if err := s.checkTop(rows, adopted); err != nil {
		return err
	}
	first := 1
	if spec, ok := b.Birth(s.Birth); ok {
		first = spec.First
	}
	for version := max(first, adopted+1); version <= s.Version; version++ {
		row, ok := rows[version]
		if !ok {
			e := permanent(result.ReasonRevisionMissing,
				"the database is at revision %d, but revision %d was never applied to it", s.Version, version)
			e.Failure.Revision = version
			return e
		}
		if err := checkRow(row, b, files); err != nil {
			return err
		}
	}
	return nil
}

// checkTop compares the version with the end of the history.
func (s State) checkTop(rows map[int]historyRow, adopted int) error {
	top := adopted
	for version := range rows {
		top = max(top, version)
	}
	if top == s.Version {
		return nil
	}
	return permanent(result.ReasonVersionChangedByOthers,
		"%s says revision %d and the history says %d: another tool has changed the version", tableVersion, s.Version, top)
}

func checkRow(row historyRow, b *bundle.Bundle, files bundle.Files) error {
	revision, _ := b.Revision(row.revision)
	file, ok := files.Revision(row.revision)
	if row.id == revision.ID && (!ok || file.Up.SHA256 == row.checksumUp) {
		return nil
	}
	e := permanent(result.ReasonChecksumMismatch,
		"revision %d was applied as %s with the checksum %.12s, and is %s with %.12s in this program: revisions never change once released",
		row.revision, row.id, row.checksumUp, revision.ID, file.Up.SHA256)
	e.Failure.Revision = row.revision
	return e
}
