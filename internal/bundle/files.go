package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
)

// Direction is the way a file takes a schema.
type Direction string

// Directions.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// File is one SQL file of a revision.
type File struct {
	// Name is the path of the file within the bundle.
	Name string

	// Body is the whole content. It is never empty.
	Body []byte

	// SHA256 is the checksum of the body, in hexadecimal.
	SHA256 string
}

// RevisionFiles are the files of one revision.
type RevisionFiles struct {
	// Version is the order number of the revision.
	Version int

	// Up applies the revision, Down reverts it.
	Up, Down File
}

// Files are the files for one engine and birth, with the overrides of the birth
// resolved.
type Files struct {
	// Engine and Birth say what the files are for.
	Engine Engine
	Birth  Birth

	// Revisions holds the files from the first revision of the birth on,
	// without a gap. A bundle need not have files for its newest revisions.
	Revisions []RevisionFiles
}

// Available returns the newest revision that has files, 0 when none has.
func (f Files) Available() int {
	if len(f.Revisions) == 0 {
		return 0
	}
	return f.Revisions[len(f.Revisions)-1].Version
}

// Revision returns the files of a revision, and whether it has any.
func (f Files) Revision(version int) (RevisionFiles, bool) {
	if len(f.Revisions) == 0 {
		return RevisionFiles{}, false
	}
	index := version - f.Revisions[0].Version
	if index < 0 || index >= len(f.Revisions) {
		return RevisionFiles{}, false
	}
	return f.Revisions[index], true
}

// Require returns a [*NotAvailableError] when the files do not reach up to a
// target.
func (f Files) Require(target int) error {
	if target <= f.Available() {
		return nil
	}
	return &NotAvailableError{Engine: f.Engine, Birth: f.Birth, Target: target, Available: f.Available()}
}

// NotAvailableError says that a target lies beyond the files of a bundle.
type NotAvailableError struct {
	// Engine and Birth say which files were looked for.
	Engine Engine
	Birth  Birth

	// Target is the revision that was asked for, Available the newest one that
	// has files, 0 when none has.
	Target, Available int
}

// Error says how far the files go.
func (e *NotAvailableError) Error() string {
	if e.Available == 0 {
		return fmt.Sprintf("revision %d has no files for %s and birth %s, nor has any other", e.Target, e.Engine, e.Birth)
	}
	return fmt.Sprintf("revision %d has no files for %s and birth %s: they go up to revision %d",
		e.Target, e.Engine, e.Birth, e.Available)
}

// MissingFileError says that a revision lacks a file although it, or a newer
// one, has others: a migration could not pass it.
type MissingFileError struct {
	// Engine and Birth say which files were looked for.
	Engine Engine
	Birth  Birth

	// Version and Direction are the first that is missing.
	Version   int
	Direction Direction
}

// Error names the missing file by its revision and direction.
func (e *MissingFileError) Error() string {
	return fmt.Sprintf("revision %d has no %s file for %s and birth %s, but later files exist",
		e.Version, e.Direction, e.Engine, e.Birth)
}

var fileName = regexp.MustCompile(`^([0-9]{3})_([a-z0-9_]+)\.(up|down)\.sql$`)

// slot is the place of a file in a set.
type slot struct {
	version   int
	direction Direction
}

// Files reads the files for an engine and a birth. A file in the directory of
// the birth stands in for the one of the same name in the engine's directory.
//
// With a [*MissingFileError] it returns the revisions before the missing one.
// Files whose names belong to no revision are errors: nobody would ever run
// them.
func (b *Bundle) Files(fsys fs.FS, engine Engine, birth Birth) (Files, error) {
	files := Files{Engine: engine, Birth: birth}
	if !slices.Contains(b.Engines, engine) {
		return files, fmt.Errorf("the bundle %s has no engine %q", b.Name, engine)
	}
	spec, ok := b.Birth(birth)
	if !ok {
		return files, fmt.Errorf("the bundle %s has no birth %q", b.Name, birth)
	}
	found, err := b.list(fsys, engine, spec)
	if err != nil {
		return files, err
	}
	for version := spec.First; version <= len(b.Revisions); version++ {
		up, hasUp := found[slot{version, Up}]
		down, hasDown := found[slot{version, Down}]
		switch {
		case !hasUp && !hasDown && !later(found, version):
			return files, nil
		case !hasUp:
			return files, &MissingFileError{Engine: engine, Birth: birth, Version: version, Direction: Up}
		case !hasDown:
			return files, &MissingFileError{Engine: engine, Birth: birth, Version: version, Direction: Down}
		}
		revision := RevisionFiles{Version: version}
		if revision.Up, err = readFile(fsys, up); err != nil {
			return files, err
		}
		if revision.Down, err = readFile(fsys, down); err != nil {
			return files, err
		}
		files.Revisions = append(files.Revisions, revision)
	}
	return files, nil
}

// list returns the paths of the files for an engine and a birth.
func (b *Bundle) list(fsys fs.FS, engine Engine, spec BirthSpec) (map[slot]string, error) {
	found := map[slot]string{}
	base := string(engine)
	if err := b.listDir(fsys, base, found); err != nil {
		return nil, err
	}
	if spec.Name == BirthPeewee {
		return found, nil
	}
	overrides := map[slot]string{}
	if err := b.listDir(fsys, path.Join(base, string(spec.Name)), overrides); err != nil {
		return nil, err
	}
	for at, name := range overrides {
		if at.version < spec.First {
			return nil, fmt.Errorf("%s: birth %s begins with revision %d", name, spec.Name, spec.First)
		}
		found[at] = name
	}
	return found, nil
}

// listDir adds the files of one directory, which need not exist.
func (b *Bundle) listDir(fsys fs.FS, dir string, found map[slot]string) error {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing the files of the bundle: %w", err)
	}
	for _, item := range entries {
		name := path.Join(dir, item.Name())
		if item.IsDir() {
			if _, ok := b.Birth(Birth(item.Name())); !ok || item.Name() == string(BirthPeewee) {
				return fmt.Errorf("%s: no birth keeps its files in a directory of this name", name)
			}
			continue
		}
		at, err := b.slotOf(item.Name())
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found[at] = name
	}
	return nil
}

// slotOf returns where a file of this name belongs.
func (b *Bundle) slotOf(name string) (slot, error) {
	m := fileName.FindStringSubmatch(name)
	if m == nil {
		return slot{}, errors.New("want a name such as 001_initial_schema.up.sql")
	}
	version, err := strconv.Atoi(m[1])
	if err != nil {
		return slot{}, err
	}
	revision, ok := b.Revision(version)
	if !ok {
		return slot{}, fmt.Errorf("the manifest has no revision %d", version)
	}
	if revision.Name != m[2] {
		return slot{}, fmt.Errorf("revision %d is named %s", version, revision.Name)
	}
	return slot{version, Direction(m[3])}, nil
}

// later reports whether a newer revision has a file.
func later(found map[slot]string, version int) bool {
	for at := range found {
		if at.version > version {
			return true
		}
	}
	return false
}

func readFile(fsys fs.FS, name string) (File, error) {
	body, err := fs.ReadFile(fsys, name)
	if err != nil {
		return File{}, fmt.Errorf("reading a revision: %w", err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return File{}, fmt.Errorf("%s: is empty; a revision that has nothing to do says so in a comment", name)
	}
	sum := sha256.Sum256(body)
	return File{Name: name, Body: body, SHA256: hex.EncodeToString(sum[:])}, nil
}
