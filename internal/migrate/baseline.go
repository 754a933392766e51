package migrate

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/script"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// findBaseline says where a database stands: at the recorded revision, empty,
// or to be adopted. q is the transaction that the state was read in.
func (p *planner) findBaseline(ctx context.Context, q step.Tx, state State) (baseline, error) {
	switch {
	case state.Managed && state.Version > 0:
		recorded := baseline{version: state.Version, birth: state.Birth}
		if p.movedOn(state) {
			return p.readopt(ctx, q, state, recorded)
		}
		return recorded, nil
	case state.foreign:
		return baseline{}, p.unknown(state, "the table %s is another tool's", tableVersion)
	case state.Empty() && len(state.Peewee) == 0 && len(state.Alembic) == 0:
		return baseline{birth: p.newBirth()}, nil
	case state.Managed:
		return baseline{}, p.unknown(state, "the database was emptied, and the application has been in it since")
	}
	told, err := p.readTracking(state)
	if err != nil {
		return baseline{}, err
	}
	if p.options.Adopt == AdoptNever {
		e := refused(result.ReasonAdoptionForbidden,
			"the database was migrated by the application and would have to be adopted; --adopt=auto does that")
		e.Failure.Revision, e.Failure.Found = told.stamp, describeTracking(state)
		return baseline{}, e
	}
	position, err := p.locate(ctx, q, state, told)
	if err != nil {
		return baseline{}, err
	}
	return adoption(position, told), nil
}

// adoption is the baseline of a database that is taken for a position.
func adoption(position catalog.Position, told told) baseline {
	return baseline{
		version: position.Version, birth: position.Birth, adopt: true, stamp: told.stamp,
		repair: position.Repair, extra: position.Extra,
	}
}

func (p *planner) newBirth() bundle.Birth {
	if p.options.Birth != BirthAuto {
		return bundle.Birth(p.options.Birth)
	}
	return p.options.Bundle.BirthFor(p.target)
}

// movedOn reports whether the application has migrated a managed database by
// itself, and nothing else is wrong with it.
func (p *planner) movedOn(state State) bool {
	if state.dirty || state.Version > len(p.options.Bundle.Revisions) || p.options.Adopt == AdoptNever {
		return false
	}
	if rows, adopted := state.applied(); state.checkTop(rows, adopted) != nil {
		return false
	}
	return !state.tracked().equal(trackingAt(p.options.Bundle, state.Birth, state.Version))
}

// readopt adopts a managed database where the application has brought it, if it
// is exactly there. Otherwise it is left at the recorded revision, for the plan
// to refuse.
func (p *planner) readopt(ctx context.Context, q step.Tx, state State, recorded baseline) (baseline, error) {
	told, err := p.readTracking(state)
	if err != nil || told.why != "" || told.stamp == 0 {
		return recorded, nil //nolint:nilerr // The plan says what is wrong.
	}
	position, found, err := p.ask(ctx, q, told)
	if err != nil || !found || !position.Exact() || position.Version != told.stamp {
		return recorded, err
	}
	return adoption(position, told), nil
}

// told is what the application's own tables tell.
type told struct {
	// stamp is the revision, 0 if they tell none that is known.
	stamp int
	// births are those that such a database can have.
	births []bundle.Birth
	// why says what is irregular about the tables; empty if nothing is.
	why string
	// strange says that they tell a revision that is not known.
	strange bool
}

// readTracking returns what the application's own tables tell.
func (p *planner) readTracking(state State) (told, error) {
	version, complete, err := p.peeweeVersion(state)
	if err != nil {
		return told{}, err
	}
	t := told{births: []bundle.Birth{bundle.BirthPeewee, bundle.BirthPeewee095}}
	if version == 0 {
		t.births = []bundle.Birth{bundle.BirthAlembic}
	}
	switch {
	case len(state.Alembic) > 1:
		t.why, t.strange = tableAlembic+" has several rows", true
	case len(state.Alembic) == 0 && version == 0:
		t.why = "it is not empty and has no version table that is known"
		t.births = []bundle.Birth{bundle.BirthAlembic, bundle.BirthPeewee, bundle.BirthPeewee095}
	case len(state.Alembic) == 0:
		t.stamp = version
	default:
		t.stamp = 1 + slices.IndexFunc(p.options.Bundle.Revisions, func(r bundle.Revision) bool {
			return r.History == bundle.HistoryAlembic && r.ID == state.Alembic[0]
		})
		switch {
		case t.stamp == 0:
			t.why, t.strange = "the revision in "+tableAlembic+" is not known", true
		case version > 0 && !complete:
			t.why = tablePeewee + " ends early, but " + tableAlembic + " goes on"
		}
	}
	return t, nil
}

// peeweeVersion returns how many of the Peewee revisions are applied; they must
// be the first ones.
func (p *planner) peeweeVersion(state State) (version int, complete bool, err error) {
	all := trackingAt(p.options.Bundle, bundle.BirthPeewee, len(p.options.Bundle.Revisions)).peewee
	have := slices.Sorted(slices.Values(state.Peewee))
	if len(have) > len(all) || !slices.Equal(have, all[:len(have)]) {
		return 0, false, p.unknown(state, "%s is no beginning of the history that is known", tablePeewee)
	}
	return len(have), len(have) == len(all), nil
}

// locate returns the revision that a database can be taken for, by its catalog.
func (p *planner) locate(ctx context.Context, q step.Tx, state State, told told) (catalog.Position, error) {
	position, found, err := p.ask(ctx, q, told)
	switch {
	case err != nil:
		return position, err
	case !found && told.why != "":
		return position, p.unknown(state, "%s", told.why)
	case !found:
		e := refused(result.ReasonAdoptionForbidden,
			"the application says revision %d, but this program has no catalog of it to compare with, and adopts nothing unseen", told.stamp)
		e.Failure.Revision = told.stamp
		return position, e
	case !position.Fits():
		return position, p.differs(state, told, position)
	case told.strange && p.adoptAt == 0 && (position.Version == len(p.options.Bundle.Revisions) || hasColumns(position.Extra)):
		return position, p.unknown(state,
			"%s, and the tables hold all of revision %d and more: use a newer schemagate if a newer release has migrated it, or --adopt=%d if a fork has",
			told.why, position.Version, position.Version)
	}
	return position, nil
}

// hasColumns reports whether columns are among extra objects. A newer release
// may have added them.
func hasColumns(extra []string) bool {
	return slices.ContainsFunc(extra, func(object string) bool { return strings.Contains(object, ": column ") })
}

// ask compares the catalog.
func (p *planner) ask(ctx context.Context, q step.Tx, told told) (position catalog.Position, found bool, err error) {
	if p.options.Catalogs == nil {
		return position, false, nil
	}
	question := catalog.Question{Stamp: told.stamp, Forced: p.adoptAt, Adds: p.adds(told.births), Initial: p.initial}
	for _, birth := range told.births {
		if _, ok := p.options.Bundle.Birth(birth); ok {
			question.Births = append(question.Births, birth)
		}
	}
	position, found, err = p.options.Catalogs.Locate(ctx, q, step.Dialect(p.engine), p.options.Schema, question)
	if err != nil {
		return position, false, fmt.Errorf("comparing the catalog: %w", err)
	}
	return position, found, nil
}

// initial is what the rows of a table have in a column that is added to it.
func (p *planner) initial(table, column string) (expression string, ok bool) {
	for _, r := range p.options.Bundle.Revisions {
		if expression, ok := r.Initial[table+"."+column]; ok {
			return expression, true
		}
	}
	return "", false
}

// adds returns a function that reports whether a revision only adds what is
// empty at first: whether its file for PostgreSQL, which writes rows only if it
// has to, has no step and no statement but such that create and alter.
func (p *planner) adds(births []bundle.Birth) func(version int) bool {
	known := map[int]bool{}
	return func(version int) bool {
		if adds, ok := known[version]; ok {
			return adds
		}
		adds := len(births) > 0
		for _, birth := range births {
			// Files that end in a gap are good as far as they go.
			files, _ := p.options.Bundle.Files(p.options.Files, bundle.Postgres, birth)
			both, ok := files.Revision(version)
			parsed, err := script.Parse(string(both.Up.Body), step.Postgres)
			adds = adds && ok && err == nil && !slices.ContainsFunc(parsed.Parts, writesRows)
		}
		known[version] = adds
		return adds
	}
}

var defines = regexp.MustCompile(`(?i)^(CREATE|ALTER|COMMENT)\b`)

func writesRows(part script.Part) bool { return part.Step != "" || !defines.MatchString(part.SQL) }

// differs refuses a database that is at no revision that is known.
func (p *planner) differs(state State, told told, nearest catalog.Position) error {
	says := "the application's own tables say revision " + strconv.Itoa(told.stamp)
	if told.why != "" {
		says = told.why
	}
	e := permanent(result.ReasonCatalogDiffers,
		"%s, and the tables are those of no revision; nearest is %d (birth %s), were it not for:\n  %s", says,
		nearest.Version, nearest.Birth, strings.Join(nearest.Unfit, "\n  "))
	e.Failure.Revision = nearest.Version
	e.Failure.Found = append(describeTracking(state), nearest.Unfit...)
	return e
}

// unknown refuses a database and lists what was found in it.
func (p *planner) unknown(state State, format string, args ...any) error {
	found := append(describeTracking(state), state.Tables...)
	if state.foreign {
		found = append(found, tableVersion)
	}
	e := permanent(result.ReasonUnknownDatabase, "the database is not recognized: %s; found: %s",
		fmt.Sprintf(format, args...), strings.Join(found, ", "))
	e.Failure.Found = found
	return e
}
