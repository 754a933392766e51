package bundle

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/appversion"
)

// ManifestError says what is wrong with one field of a manifest.
type ManifestError struct {
	// Version is the place of the revision in the list, counted from 1; 0 for a
	// field of the bundle itself.
	Version int

	// ID is the id that the revision gives itself.
	ID string

	// Field is the path of the field within the revision or the bundle.
	Field string

	// Problem says what is wrong with it.
	Problem string
}

// Error names the revision and the field.
func (e *ManifestError) Error() string {
	if e.Version == 0 {
		return fmt.Sprintf("%s: %s", e.Field, e.Problem)
	}
	return fmt.Sprintf("revision %d (%s): %s: %s", e.Version, e.ID, e.Field, e.Problem)
}

var (
	bundleName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	alembicID  = regexp.MustCompile(`^[0-9a-f]{12}$`)
	// A name is a part of file names, so it keeps to what fileName accepts.
	revisionName = regexp.MustCompile(`^[a-z0-9_]{1,60}$`)
	tableName    = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	checkName    = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)
)

// bookkeeping tables belong to the engine and the migration tools. A revision
// that locked one would wait for the very transaction it runs in, or for
// another runner that is only reading.
var bookkeeping = []string{
	"alembic_version", "migratehistory", "schema_migrations", "schemagate_history", "schemagate_owner",
}

// validation collects what is wrong with a manifest.
type validation struct {
	bundle   *Bundle
	revision *Revision // nil while the bundle itself is looked at
	place    int
	problems []error
}

func (b *Bundle) validate() []error {
	v := &validation{bundle: b}
	v.header()
	if len(b.Revisions) == 0 {
		return v.problems
	}
	v.births()
	ids, checks := map[string]int{}, map[string]int{}
	for i := range b.Revisions {
		v.revision, v.place = &b.Revisions[i], i+1
		v.identity(ids)
		v.order()
		v.judgment()
		v.touches()
		v.scans()
		v.initial()
		v.preflight(checks)
	}
	return v.problems
}

func (v *validation) refuse(field, format string, args ...any) {
	problem := &ManifestError{Field: field, Problem: fmt.Sprintf(format, args...)}
	if v.revision != nil {
		problem.Version, problem.ID = v.place, v.revision.ID
	}
	v.problems = append(v.problems, problem)
}

// header checks the fields of the bundle itself.
func (v *validation) header() {
	b := v.bundle
	if !bundleName.MatchString(b.Name) {
		v.refuse("name", "%q: want lower-case letters and digits, in parts joined by hyphens", b.Name)
	}
	if b.Title == "" {
		v.refuse("title", "is missing")
	}
	if len(b.Engines) == 0 {
		v.refuse("engines", "are missing")
	}
	for i, engine := range b.Engines {
		if engine != Postgres && engine != SQLite {
			v.refuse("engines", "%q is not supported: want %s or %s", engine, Postgres, SQLite)
		}
		if slices.Contains(b.Engines[:i], engine) {
			v.refuse("engines", "%q is listed twice", engine)
		}
	}
	if len(b.Revisions) == 0 {
		v.refuse("revisions", "are missing")
		return
	}
	if newest := b.Latest().App; b.NewestRelease.Compare(newest) < 0 {
		v.refuse("newestRelease", "%q is older than %s, which brought the last revision", b.NewestRelease, newest)
	}
}

// births checks that every birth fits the list of revisions.
func (v *validation) births() {
	b := v.bundle
	for i, spec := range b.Births {
		field := fmt.Sprintf("births[%d]", i)
		if !slices.Contains(births, spec.Name) {
			v.refuse(field+".name", "%q is not a birth", spec.Name)
		}
		if slices.ContainsFunc(b.Births[:i], func(other BirthSpec) bool { return other.Name == spec.Name }) {
			v.refuse(field+".name", "%q is listed twice", spec.Name)
		}
		if want := b.firstOf(spec.Name); spec.First != want {
			v.refuse(field+".first", "%d: birth %s begins with revision %d", spec.First, spec.Name, want)
		}
		switch last := b.lastOf(spec.AppFrom); {
		case last == 0:
			v.refuse(field+".appFrom", "%q is no release that brought a revision", spec.AppFrom)
		case last < spec.First:
			v.refuse(field+".appFrom", "%s needs revision %d, which is before the first one of the birth", spec.AppFrom, last)
		}
	}
	for _, birth := range []Birth{BirthPeewee, BirthAlembic} {
		if _, ok := b.Birth(birth); !ok {
			v.refuse("births", "birth %s is missing: an empty database could get it", birth)
		}
	}
	if spec, ok := b.Birth(BirthAlembic); ok && b.oldest(spec) != b.BornAlembicFrom {
		v.refuse("bornAlembicFrom", "%d: the oldest release for birth %s, %s, begins with revision %d",
			b.BornAlembicFrom, BirthAlembic, spec.AppFrom, b.oldest(spec))
	}
}

// firstOf returns the revision that a birth begins with: the first of its
// history. It is 1 when there is none.
func (b *Bundle) firstOf(birth Birth) int {
	if birth != BirthAlembic {
		return 1
	}
	first := slices.IndexFunc(b.Revisions, func(r Revision) bool { return r.History == HistoryAlembic })
	return max(first, 0) + 1
}

// lastOf returns the last revision that a release brought, or 0.
func (b *Bundle) lastOf(app appversion.Version) int {
	last := 0
	for _, revision := range b.Revisions {
		if revision.App == app {
			last = revision.Version
		}
	}
	return last
}

// identity checks what names a revision.
func (v *validation) identity(ids map[string]int) {
	r := v.revision
	if r.Version != v.place {
		v.refuse("version", "%d: revisions are numbered from 1 without gaps", r.Version)
	}
	switch r.History {
	case HistoryPeewee:
		if r.ID != padded(v.place) {
			v.refuse("id", "%q: a Peewee revision has its own number, %q", r.ID, padded(v.place))
		}
	case HistoryAlembic:
		if !alembicID.MatchString(r.ID) {
			v.refuse("id", "%q: an Alembic revision has twelve hexadecimal digits", r.ID)
		}
	default:
		v.refuse("history", "%q: want %s or %s", r.History, HistoryPeewee, HistoryAlembic)
	}
	if other, ok := ids[r.ID]; ok {
		v.refuse("id", "%q is also the id of revision %d", r.ID, other)
	}
	ids[r.ID] = v.place
	if !revisionName.MatchString(r.Name) {
		v.refuse("name", "%q: want up to 60 lower-case letters, digits and underscores", r.Name)
	}
}

// order checks a revision against the one before it.
func (v *validation) order() {
	r := v.revision
	if r.App.IsZero() {
		v.refuse("app", "is missing")
	}
	if v.place == 1 {
		return
	}
	before := v.bundle.Revisions[v.place-2]
	if r.App.Compare(before.App) < 0 {
		v.refuse("app", "%s is older than %s, which brought the revision before", r.App, before.App)
	}
	if r.History == HistoryPeewee && before.History == HistoryAlembic {
		v.refuse("history", "a Peewee revision cannot follow an Alembic one")
	}
}

// judgment checks what people wrote about a revision.
func (v *validation) judgment() {
	r := v.revision
	switch r.Label {
	case Additive, Quiesce, Breaking:
	default:
		v.refuse("label", "%q: want %s, %s or %s", r.Label, Additive, Quiesce, Breaking)
	}
	v.sentence("why", r.Why)
	if r.LossyDown != "" {
		v.sentence("lossyDown", r.LossyDown)
	}
}

// sentence checks that a text can stand alone in a message.
func (v *validation) sentence(field, text string) {
	switch {
	case text == "":
		v.refuse(field, "is missing")
	case strings.TrimSpace(text) != text || strings.ContainsAny(text, "\n\r\t"):
		v.refuse(field, "has line breaks, tabs or blanks around it")
	case !strings.HasSuffix(text, "."):
		v.refuse(field, "does not end with a full stop")
	}
}

func (v *validation) touches() {
	if len(v.revision.Touches) == 0 {
		v.refuse("touches", "are missing")
	}
	v.tables("touches", v.revision.Touches)
}

func (v *validation) scans() {
	v.tables("scans", v.revision.Scans)
	for _, table := range v.revision.Scans {
		if !slices.Contains(v.revision.Touches, table) {
			v.refuse("scans", "%s is not among the tables that it touches", table)
		}
	}
}

// tables checks a list of tables. It has one order for all revisions, so that two
// runners cannot lock tables crosswise.
func (v *validation) tables(field string, names []string) {
	for i, table := range names {
		if !tableName.MatchString(table) {
			v.refuse(field, "%q is not the name of a table", table)
		}
		if slices.Contains(bookkeeping, table) {
			v.refuse(field, "%s is bookkeeping of the migration tools", table)
		}
		if i > 0 && names[i-1] >= table {
			v.refuse(field, "%s does not follow %s in alphabetical order", table, names[i-1])
		}
	}
}

// initial checks the values that columns get.
func (v *validation) initial() {
	for _, name := range slices.Sorted(maps.Keys(v.revision.Initial)) {
		table, column, ok := strings.Cut(name, ".")
		if !ok || !tableName.MatchString(column) || !slices.Contains(v.revision.Touches, table) {
			v.refuse("initial", "%q is not a table that the revision touches and a column, joined by a dot", name)
		}
		if v.revision.Initial[name] == "" {
			v.refuse("initial", "%s has no value", name)
		}
	}
}

func (v *validation) preflight(names map[string]int) {
	for i, check := range v.revision.Preflight {
		field := fmt.Sprintf("preflight[%d].", i)
		if !checkName.MatchString(check.Name) {
			v.refuse(field+"name", "%q: want lower-case letters and digits, in parts joined by hyphens", check.Name)
		}
		if other, ok := names[check.Name]; ok {
			v.refuse(field+"name", "%q is also the name of a check of revision %d", check.Name, other)
		}
		names[check.Name] = v.place
		if check.Since < 1 || check.Since >= v.place {
			v.refuse(field+"since", "%d: want an older revision than the check's own", check.Since)
		}
		if check.Finds == "" || strings.HasSuffix(check.Finds, ".") {
			v.refuse(field+"finds", "%q: want words that follow a number, without a full stop", check.Finds)
		}
		v.sentence(field+"remedy", check.Remedy)
		v.lookup(field, check)
	}
}

// lookup checks how a preflight check looks for rows.
func (v *validation) lookup(field string, check Check) {
	if len(check.Query) == 0 && check.Step == "" {
		v.refuse(field+"query", "is missing, and there is no step either")
	}
	for engine, query := range check.Query {
		field := fmt.Sprintf("%squery.%s", field, engine)
		if !slices.Contains(v.bundle.Engines, engine) {
			v.refuse(field, "the bundle has no such engine")
		}
		// The engine counts the rows of the query in one of its own.
		if !strings.HasPrefix(query, "SELECT ") || strings.ContainsAny(query, ";\n") {
			v.refuse(field, "want one SELECT on one line, without a semicolon")
		}
	}
	if check.Step != "" && !checkName.MatchString(check.Step) {
		v.refuse(field+"step", "%q: want lower-case letters and digits, in parts joined by underscores", check.Step)
	}
}
