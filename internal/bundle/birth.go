package bundle

import (
	"fmt"
	"strings"

	"github.com/schemagate/schemagate/internal/appversion"
)

// Birth says which history created a database. The births coexist and stay
// apart for ever, because their catalogs differ.
type Birth string

// Births.
const (
	// BirthPeewee: created by a release up to 0.9.5.
	BirthPeewee Birth = "peewee"

	// BirthPeewee095: created by a release up to 0.9.5 and migrated with the
	// revisions as the releases 0.6.41 to 0.9.5 shipped them.
	BirthPeewee095 Birth = "peewee-0.9.5"

	// BirthAlembic: created by 0.9.6 or newer, or by this program for such a
	// release.
	BirthAlembic Birth = "alembic"
)

var births = []Birth{BirthPeewee, BirthPeewee095, BirthAlembic}

// ParseBirth reads the name of a birth.
func ParseBirth(s string) (Birth, error) {
	names := make([]string, len(births))
	for i, birth := range births {
		if string(birth) == s {
			return birth, nil
		}
		names[i] = string(birth)
	}
	return "", fmt.Errorf("%q is not a birth: want %s", s, strings.Join(names, ", "))
}

// BirthSpec says what a birth means for the revisions of a bundle.
type BirthSpec struct {
	// Name is the birth.
	Name Birth `json:"name"`

	// First is the first revision that a database of this birth goes through.
	// The ones before do not exist for it.
	First int `json:"first"`

	// AppFrom is the oldest application release that can run on a database of
	// this birth, whatever its revision.
	AppFrom appversion.Version `json:"appFrom"`
}

// Birth returns what the bundle says about a birth, and whether it knows it.
func (b *Bundle) Birth(name Birth) (BirthSpec, bool) {
	for _, spec := range b.Births {
		if spec.Name == name {
			return spec, true
		}
	}
	return BirthSpec{}, false
}

// BirthFor returns the birth of an empty database that is brought to a
// revision: releases up to 0.9.5 run Peewee at every start and need what it
// made.
func (b *Bundle) BirthFor(target int) Birth {
	if target >= b.BornAlembicFrom {
		return BirthAlembic
	}
	return BirthPeewee
}

// oldest returns the oldest revision that any release on a database of this
// birth can require.
func (b *Bundle) oldest(spec BirthSpec) int {
	older := 0
	for _, revision := range b.Revisions {
		if revision.App.Compare(spec.AppFrom) < 0 {
			older++
		}
	}
	return max(spec.First, older+1)
}
