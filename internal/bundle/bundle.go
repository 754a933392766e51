// Package bundle knows an ordered set of revisions: their ids, the application
// releases that need them, which revisions keep older pods out, and the files
// that apply and revert them.
//
// It is pure: everything is read from an [fs.FS] and computed, without a clock,
// a database or a cluster.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"path"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/internal/appversion"
)

// ManifestName is the name of the manifest at the root of a bundle.
const ManifestName = "manifest.yaml"

// Bundle is an ordered set of revisions. It does not change after [Load] and
// may be used by several goroutines at once; callers must not change the slices
// and maps in it.
type Bundle struct {
	// Name is the bundle's name, as a DatabaseSchema refers to it.
	Name string `json:"name"`

	// Title is the application's name for people.
	Title string `json:"title"`

	// Engines lists the database engines that the bundle has files for.
	Engines []Engine `json:"engines"`

	// NewestRelease is the newest application release that the labels were
	// judged against. Newer releases are unknown, unless an overlay names them.
	NewestRelease appversion.Version `json:"newestRelease"`

	// Births lists the origins that a database can have.
	Births []BirthSpec `json:"births"`

	// BornAlembicFrom decides the birth of an empty database: alembic when its
	// target is this revision or a newer one, peewee otherwise.
	BornAlembicFrom int `json:"bornAlembicFrom"`

	// Revisions lists all revisions in the order in which they are applied. The
	// index of a revision is its version minus 1.
	Revisions []Revision `json:"revisions"`

	digest string
}

// Engine is a database engine. Its value is the name of the directory that
// holds the engine's files.
type Engine string

// Engines.
const (
	Postgres Engine = "postgres"
	SQLite   Engine = "sqlite"
)

// History is the migration tool that a revision belongs to.
type History string

// Histories, in the order in which the application used them.
const (
	HistoryPeewee  History = "peewee"
	HistoryAlembic History = "alembic"
)

// Label says what a revision does to the pods of older application releases.
// It is judged against every older release, not only the one before.
type Label string

// Labels.
const (
	// Additive: older pods keep working, and nothing they write is misread or
	// missed by newer ones.
	Additive Label = "additive"

	// Quiesce: older pods keep working, but what they write after the revision
	// is misread or missed by newer ones.
	Quiesce Label = "quiesce"

	// Breaking: older pods fail, or harm data.
	Breaking Label = "breaking"
)

// Fencing reports whether a revision of this label keeps older pods out. A
// label that is not known does.
func (l Label) Fencing() bool { return l != Additive }

// Revision is one step of a schema.
type Revision struct {
	// Version is the order number, counted from 1.
	Version int `json:"version"`

	// ID is the revision's name in its own history: three digits in Peewee's,
	// twelve hexadecimal digits in Alembic's.
	ID string `json:"id"`

	// History is the tool that the revision belongs to.
	History History `json:"history"`

	// Name says in a few words what the revision does. It is part of the names
	// of its files.
	Name string `json:"name"`

	// App is the first application release that contains the revision.
	App appversion.Version `json:"app"`

	// Touches lists the tables that the revision changes, or locks because a
	// foreign key refers to them, in alphabetical order. Some do not exist
	// before it, others not after it.
	Touches []string `json:"touches"`

	// Scans lists the tables of which the way up reads or writes every row that is
	// there, in alphabetical order: how long the revision takes depends on them.
	Scans []string `json:"scans,omitempty"`

	// Label says what the revision does to older pods, and Why gives the reason.
	Label Label  `json:"label"`
	Why   string `json:"why"`

	// Destructive says that the way up drops a table, a column or rows, or
	// rewrites values in a way that loses information.
	Destructive bool `json:"destructive,omitempty"`

	// LossyDown says what the way down cannot bring back; empty when it brings
	// back everything.
	LossyDown string `json:"lossyDown,omitempty"`

	// Initial says what rows that exist get in columns that the revision adds, by
	// table and column joined by a dot: an expression that every engine
	// understands. It is for columns that are NOT NULL and have no default, so
	// that a database which lacks one can be repaired.
	Initial map[string]string `json:"initial,omitempty"`

	// Preflight lists the checks that must find nothing before the revision is
	// applied.
	Preflight []Check `json:"preflight,omitempty"`
}

// Check looks for rows that a revision cannot convert.
type Check struct {
	// Name is unique within the bundle.
	Name string `json:"name"`

	// Since is the first revision at which the check can run and sees what its
	// own revision will see. It stays possible up to that revision.
	Since int `json:"since"`

	// Finds says in the plural what the check looks for, to follow a number.
	Finds string `json:"finds"`

	// Remedy says what to do about it, in one sentence or more.
	Remedy string `json:"remedy"`

	// Query lists the offending rows, one column of ids, per engine. An engine
	// without a query has nothing to look for, unless there is a step.
	Query map[Engine]string `json:"query,omitempty"`

	// Step names a check written in Go, for what SQL cannot express. It runs on
	// every engine and decides itself what concerns which.
	Step string `json:"step,omitempty"`
}

// Load reads and validates the bundle at the root of fsys. The error joins a
// [*ManifestError] for everything that is wrong with the manifest.
//
// Load does not ask whether the files of the revisions exist: that is for
// [Bundle.Files].
func Load(fsys fs.FS) (*Bundle, error) {
	text, err := fs.ReadFile(fsys, ManifestName)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	b, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	if err := errors.Join(b.validate()...); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	if b.digest, err = digest(fsys, text); err != nil {
		return nil, err
	}
	return b, nil
}

// Tables returns the names of all tables that revisions touch, in alphabetical
// order.
func (b *Bundle) Tables() []string {
	var names []string
	for i := range b.Revisions {
		names = append(names, b.Revisions[i].Touches...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Latest returns the newest revision.
func (b *Bundle) Latest() Revision { return b.Revisions[len(b.Revisions)-1] }

// Revision returns the revision of an order number, and whether there is one.
func (b *Bundle) Revision(version int) (Revision, bool) {
	if version < 1 || version > len(b.Revisions) {
		return Revision{}, false
	}
	return b.Revisions[version-1], true
}

// Digest returns the SHA-256, in hexadecimal, over the manifest and the names
// and contents of all SQL files. Two bundles with one digest do the same.
func (b *Bundle) Digest() string { return b.digest }

// decode reads a manifest strictly. The revisions are decoded one by one, so
// that an error says in which of them it is.
func decode(text []byte) (*Bundle, error) {
	document, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	var raw struct {
		Name            string             `json:"name"`
		Title           string             `json:"title"`
		Engines         []Engine           `json:"engines"`
		NewestRelease   appversion.Version `json:"newestRelease"`
		Births          []BirthSpec        `json:"births"`
		BornAlembicFrom int                `json:"bornAlembicFrom"`
		Revisions       []json.RawMessage  `json:"revisions"`
	}
	if err := decodeStrict(document, &raw); err != nil {
		return nil, err
	}
	b := &Bundle{
		Name: raw.Name, Title: raw.Title, Engines: raw.Engines, NewestRelease: raw.NewestRelease,
		Births: raw.Births, BornAlembicFrom: raw.BornAlembicFrom,
		Revisions: make([]Revision, len(raw.Revisions)),
	}
	for i, revision := range raw.Revisions {
		if err := decodeStrict(revision, &b.Revisions[i]); err != nil {
			return nil, fmt.Errorf("revision %d: %w", i+1, err)
		}
	}
	return b, nil
}

func decodeStrict(document []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func digest(fsys fs.FS, manifest []byte) (string, error) {
	sum := sha256.New()
	frame(sum, ManifestName, manifest)
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".sql" {
			return err
		}
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		frame(sum, name, body)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("reading the files of the bundle: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// frame adds a file with the lengths of its parts, so that no other division
// into names and bodies gives the same sum.
func frame(sum hash.Hash, name string, body []byte) {
	for _, part := range [][]byte{[]byte(name), body} {
		sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		sum.Write(part)
	}
}
