package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// File returns the name of the file, within a bundle, that holds the catalogs
// of an engine.
func File(engine bundle.Engine) string { return "catalogs/" + string(engine) + ".json" }

// History is the catalog after each revision that a birth goes through, by
// order number.
type History map[int]*Catalog

// Histories are the histories of one engine.
type Histories map[bundle.Birth]History

// Set holds the catalogs of a bundle. It is read-only and may be shared.
type Set struct {
	engines map[bundle.Engine]Histories
}

// LoadSet reads the catalogs of a bundle for both engines. It is an error if a
// file is missing, or anything in it does not fit together; a revision whose
// catalog is not in it is not known.
func LoadSet(files fs.FS) (*Set, error) {
	s := &Set{engines: make(map[bundle.Engine]Histories)}
	for _, engine := range []bundle.Engine{bundle.Postgres, bundle.SQLite} {
		data, err := fs.ReadFile(files, File(engine))
		if err != nil {
			return nil, fmt.Errorf("reading the catalogs of %s: %w", engine, err)
		}
		histories, err := DecodeHistories(data, engine)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", File(engine), err)
		}
		s.engines[engine] = histories
	}
	return s, nil
}

// At returns the catalog that a database of a birth has at a revision, and
// whether it is known. The catalog must not be modified.
func (s *Set) At(engine bundle.Engine, birth bundle.Birth, version int) (*Catalog, bool) {
	c, ok := s.engines[engine][birth][version]
	return c, ok
}

// Compare reads the catalog of the database that q talks to and returns how it
// differs from that of a database of this birth at a revision. known is false
// when there is no catalog to compare with; nothing is read then.
func (s *Set) Compare(ctx context.Context, q step.Tx, dialect step.Dialect, schema string,
	version int, birth bundle.Birth,
) (difference Difference, known bool, err error) {
	engine := bundle.Engine(dialect)
	want, known := s.At(engine, birth, version)
	if !known {
		return Difference{}, false, nil
	}
	got, err := Read(ctx, q, engine, schema)
	if err != nil {
		return Difference{}, true, err
	}
	return Compare(want, got), true, nil
}

// Locate reads the catalog of the database that q talks to and returns the
// revision that it is nearest to; see [Set.Nearest].
func (s *Set) Locate(ctx context.Context, q step.Tx, dialect step.Dialect, schema string,
	question Question,
) (position Position, found bool, err error) {
	got, err := Read(ctx, q, bundle.Engine(dialect), schema)
	if err != nil {
		return Position{}, false, err
	}
	position, found = s.Nearest(got, question)
	return position, found, nil
}

// formatVersion is the version of the files' format.
const formatVersion = 1

// record is a file of catalogs. A catalog is told by what a revision changes in
// it, and a table by the checksum of its description, because most revisions
// change few tables and the births have most tables in common.
type record struct {
	Format int                         `json:"format"`
	Engine bundle.Engine               `json:"engine"`
	Tables map[string]map[string]Table `json:"tables"`
	Births map[bundle.Birth][]delta    `json:"births"`
}

// delta is what one revision changes.
type delta struct {
	Revision int `json:"revision"`
	// Tables are new or changed.
	Tables  map[string]string `json:"tables,omitempty"`
	Dropped []string          `json:"dropped,omitempty"`
	// Sequences and Views are all there are from now on; nil for no change.
	Sequences *[]Sequence `json:"sequences,omitempty"`
	Views     *[]View     `json:"views,omitempty"`
}

// DecodeHistories reads what Histories.Encode has written.
func DecodeHistories(data []byte, engine bundle.Engine) (Histories, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("decoding catalogs: %w", err)
	}
	if r.Format != formatVersion || r.Engine != engine {
		return nil, fmt.Errorf("decoding catalogs: format %d of %q, want format %d of %q", r.Format, r.Engine, formatVersion, engine)
	}
	tables := map[string]map[string]*Table{}
	for name, versions := range r.Tables {
		tables[name] = map[string]*Table{}
		for sum, t := range versions {
			for i := range t.Columns {
				t.Columns[i].Position = i + 1
			}
			tables[name][sum] = &t
		}
	}
	out := make(Histories)
	for birth, deltas := range r.Births {
		out[birth] = History{}
		current := &Catalog{Engine: engine}
		for i := range deltas {
			next, err := deltas[i].apply(current, tables)
			if err != nil {
				return nil, fmt.Errorf("decoding catalogs: birth %s: revision %d: %w", birth, deltas[i].Revision, err)
			}
			if _, ok := out[birth][deltas[i].Revision]; ok {
				return nil, fmt.Errorf("decoding catalogs: birth %s: revision %d is there twice", birth, deltas[i].Revision)
			}
			out[birth][deltas[i].Revision] = next
			current = next
		}
	}
	return out, nil
}

// apply returns the catalog after a revision.
func (d *delta) apply(before *Catalog, tables map[string]map[string]*Table) (*Catalog, error) {
	after := &Catalog{
		Engine: before.Engine, Tables: map[string]*Table{},
		Sequences: before.Sequences, Views: before.Views,
	}
	maps.Copy(after.Tables, before.Tables)
	for name, sum := range d.Tables {
		t := tables[name][sum]
		if t == nil {
			return nil, fmt.Errorf("the table %s %s is not described", name, sum)
		}
		after.Tables[name] = t
	}
	for _, name := range d.Dropped {
		if before.Tables[name] == nil {
			return nil, fmt.Errorf("the table %s is dropped and was not there", name)
		}
		delete(after.Tables, name)
	}
	if d.Sequences != nil {
		after.Sequences = slices.Clone(*d.Sequences)
	}
	if d.Views != nil {
		after.Views = slices.Clone(*d.Views)
	}
	after.tidy()
	return after, nil
}
