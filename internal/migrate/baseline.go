package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// findBaseline says where a database stands: at the recorded revision, empty,
// or to be adopted. q is the transaction that the state was read in.
func (p *planner) findBaseline(ctx context.Context, q step.Tx, state State) (baseline, error) {
	switch {
	case state.Managed && state.Version > 0:
		return baseline{version: state.Version, birth: state.Birth}, nil
	case state.foreign:
		return baseline{}, p.unknown(state, "the table %s is another tool's", tableVersion)
	case state.Empty() && len(state.Peewee) == 0 && len(state.Alembic) == 0:
		return baseline{birth: p.newBirth()}, nil
	case state.Managed:
		return baseline{}, p.unknown(state, "the database was emptied, and the application has been in it since")
	}
	version, births, err := p.tracked(state)
	if err != nil {
		return baseline{}, err
	}
	if p.options.Adopt == AdoptNever {
		e := refused(result.ReasonAdoptionForbidden,
			"the database was migrated by the application up to revision %d and would have to be adopted; --adopt=auto does that", version)
		e.Failure.Found = describeTracking(state)
		return baseline{}, e
	}
	birth, err := p.recognize(ctx, q, version, births)
	return baseline{version: version, birth: birth, adopt: true}, err
}

func (p *planner) newBirth() bundle.Birth {
	if p.options.Birth != BirthAuto {
		return bundle.Birth(p.options.Birth)
	}
	return p.options.Bundle.BirthFor(p.target)
}

// tracked returns the revision that the application's own tables tell, and the
// births that such a database can have.
func (p *planner) tracked(state State) (version int, births []bundle.Birth, err error) {
	version, complete, err := p.peeweeVersion(state)
	if err != nil {
		return 0, nil, err
	}
	births = []bundle.Birth{bundle.BirthPeewee, bundle.BirthPeewee095}
	switch {
	case len(state.Alembic) > 1:
		return 0, nil, p.unknown(state, "%s has several rows", tableAlembic)
	case len(state.Alembic) == 0 && version == 0:
		return 0, nil, p.unknown(state, "it is not empty and has no version table that is known")
	case len(state.Alembic) == 0:
		return version, births, nil
	case version > 0 && !complete:
		return 0, nil, p.unknown(state, "%s ends early, but %s goes on", tablePeewee, tableAlembic)
	case version == 0:
		births = []bundle.Birth{bundle.BirthAlembic}
	}
	i := slices.IndexFunc(p.options.Bundle.Revisions, func(r bundle.Revision) bool {
		return r.History == bundle.HistoryAlembic && r.ID == state.Alembic[0]
	})
	if i < 0 {
		return 0, nil, p.unknown(state, "the revision in %s is not known", tableAlembic)
	}
	return i + 1, births, nil
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

// recognize compares the catalog with those of the births and returns the first
// that fits.
func (p *planner) recognize(ctx context.Context, q step.Tx, version int, births []bundle.Birth) (bundle.Birth, error) {
	var closest []string
	compared := false
	for _, birth := range births {
		if _, ok := p.options.Bundle.Birth(birth); !ok || p.options.Catalogs == nil {
			continue
		}
		differences, known, err := p.options.Catalogs.Compare(ctx, q, step.Dialect(p.engine), p.options.Schema, version, birth)
		if err != nil {
			return "", fmt.Errorf("comparing the catalog: %w", err)
		}
		switch {
		case known && len(differences) == 0:
			return birth, nil
		case known && (!compared || len(differences) < len(closest)):
			closest, compared = differences, true
		}
	}
	if !compared {
		e := refused(result.ReasonAdoptionForbidden,
			"the application says revision %d, but this program has no catalog of it to compare with, and adopts nothing unseen", version)
		e.Failure.Revision = version
		return "", e
	}
	e := permanent(result.ReasonCatalogDiffers,
		"the application says revision %d, but the database is not what that revision leaves:\n  %s", version, strings.Join(closest, "\n  "))
	e.Failure.Revision, e.Failure.Found = version, closest
	return "", e
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
