package migrate

import (
	"slices"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/script"
)

// Direction is the way a revision is applied.
type Direction string

// The directions of a unit, and what the history records for an adoption and a
// repair.
const (
	Up     Direction = "up"
	Down   Direction = "down"
	adopt  Direction = "adopt"
	repair Direction = "repair"
)

// unit is one revision in one direction, ready to run.
type unit struct {
	revision  int // whose file runs
	id        string
	app       string
	direction Direction
	from, to  int    // the database before and after; 0 is an empty one
	file      string // the file's name, for people
	body      string
	sha256    string // of body, in lower-case hexadecimal
	script    script.Script
	touches   []string // tables to lock first
	checks    []check  // checks that cannot run before this unit's turn
	tracking  tracking // what the application's own tables hold afterwards
	fenced    bool     // whether others are looked for first

	checksumUp, checksumDown string
}

// tracking is what the application's own version tables hold at a revision.
type tracking struct {
	// peewee are the names in migratehistory, in order; nil means no table.
	peewee []string
	// alembic is the only row of alembic_version; empty means none.
	alembic string
	// alembicTable says whether there is such a table. Alembic's own way down
	// leaves it empty; this package's removes it.
	alembicTable bool
}

func (t tracking) equal(o tracking) bool {
	return t.alembic == o.alembic && slices.Equal(t.peewee, o.peewee)
}

// trackingAt returns what the application's tables hold at a revision, as its
// own tools leave them: rows of Peewee up to it, in a database that Peewee has
// begun, and Alembic's last id.
func trackingAt(b *bundle.Bundle, birth bundle.Birth, version int) tracking {
	var t tracking
	for _, r := range b.Revisions[:version] {
		switch {
		case r.History == bundle.HistoryAlembic:
			t.alembic, t.alembicTable = r.ID, true
		case birth != bundle.BirthAlembic:
			t.peewee = append(t.peewee, r.ID+"_"+r.Name)
		}
	}
	return t
}

// work is the plan as the driver needs it. golang-migrate's interface carries
// none of it: SetVersion gets a number, Run a reader.
type work struct {
	units []unit
	birth string
	// single makes all units one transaction: the database is empty, and half
	// an installation serves nobody.
	single bool
	// expect is what the database must still be when the lock is held.
	expect fingerprint
	// before is what the application's tables hold before the first unit.
	before tracking
	// bookkeeping says whether the version tables exist.
	bookkeeping bool
	// owner, if set, is written with the first transaction; clearOwner removes
	// the row.
	owner      *Owner
	clearOwner bool
}

// fingerprint tells two states of a database apart.
type fingerprint struct {
	version int    // 0 is none
	dirty   bool   // set by foreign tools only
	rows    int64  // of the history
	owner   string // the row, as one string
	alembic string // the application's own version, if there is to be one
}
