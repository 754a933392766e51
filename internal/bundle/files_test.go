package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// tree holds files whose body is their path, and the small manifest.
func tree(names ...string) fstest.MapFS {
	files := fstest.MapFS{ManifestName: {Data: []byte(small)}}
	for _, name := range names {
		files[name] = &fstest.MapFile{Data: []byte("-- " + name + "\n")}
	}
	return files
}

func pair(stem string) []string { return []string{stem + ".up.sql", stem + ".down.sql"} }

func names(stems ...string) []string {
	var all []string
	for _, stem := range stems {
		all = append(all, pair(stem)...)
	}
	return all
}

var complete = names(
	"postgres/001_first", "postgres/002_second", "postgres/003_third", "postgres/004_fourth", "postgres/005_fifth",
)

func TestFiles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files []string
		birth Birth
		want  []string // up and down of each revision
	}{
		"base": {files: complete, birth: BirthPeewee, want: complete},
		"birth without overrides": {
			files: complete, birth: BirthPeewee095, want: complete,
		},
		"birth that begins later": {
			files: complete, birth: BirthAlembic, want: complete[4:],
		},
		"one override": {
			files: append([]string{"postgres/alembic/004_fourth.up.sql", "postgres/peewee-0.9.5/005_fifth.down.sql"}, complete...),
			birth: BirthAlembic,
			want: []string{
				"postgres/003_third.up.sql", "postgres/003_third.down.sql",
				"postgres/alembic/004_fourth.up.sql", "postgres/004_fourth.down.sql",
				"postgres/005_fifth.up.sql", "postgres/005_fifth.down.sql",
			},
		},
		"override of another birth": {
			files: append([]string{"postgres/alembic/004_fourth.up.sql"}, complete...),
			birth: BirthPeewee, want: complete,
		},
		"override without a base": {
			files: append(pair("postgres/alembic/003_third"), complete[:4]...),
			birth: BirthAlembic, want: pair("postgres/alembic/003_third"),
		},
		"files up to a revision": {files: complete[:6], birth: BirthPeewee, want: complete[:6]},
		"only before the birth":  {files: complete[:4], birth: BirthAlembic},
		"no files":               {birth: BirthPeewee},
		"other engine":           {files: names("sqlite/001_first"), birth: BirthPeewee},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := tree(test.files...)
			files, err := mustLoad(t, fsys).Files(fsys, Postgres, test.birth)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, revision := range files.Revisions {
				got = append(got, revision.Up.Name, revision.Down.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("The files differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilesContent(t *testing.T) {
	t.Parallel()
	fsys := tree(complete...)
	files, err := mustLoad(t, fsys).Files(fsys, Postgres, BirthAlembic)
	if err != nil {
		t.Fatal(err)
	}
	if got := files.Available(); got != 5 {
		t.Errorf("Available() = %d, want 5", got)
	}
	got, ok := files.Revision(4)
	if !ok {
		t.Fatal("Revision(4) is missing")
	}
	body := []byte("-- postgres/004_fourth.up.sql\n")
	sum := sha256.Sum256(body)
	want := File{Name: "postgres/004_fourth.up.sql", Body: body, SHA256: hex.EncodeToString(sum[:])}
	if diff := cmp.Diff(want, got.Up); diff != "" {
		t.Errorf("The file differs (-want +got):\n%s", diff)
	}
	if got.Version != 4 {
		t.Errorf("Revision(4) has version %d", got.Version)
	}
	for _, version := range []int{-1, 0, 2, 6} {
		if _, ok := files.Revision(version); ok {
			t.Errorf("Revision(%d) exists for a birth of the revisions 3 to 5", version)
		}
	}
	if _, ok := (Files{}).Revision(1); ok {
		t.Error("Revision(1) exists without files")
	}
}

func TestFilesRequire(t *testing.T) {
	t.Parallel()
	fsys := tree(complete[:6]...)
	b := mustLoad(t, fsys)
	files, err := b.Files(fsys, Postgres, BirthPeewee)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []int{0, 1, 3} {
		if err := files.Require(target); err != nil {
			t.Errorf("Require(%d) = %v", target, err)
		}
	}
	var missing *NotAvailableError
	if err := files.Require(4); !errors.As(err, &missing) {
		t.Fatalf("Require(4) = %v, want a NotAvailableError", err)
	}
	if diff := cmp.Diff(NotAvailableError{Engine: Postgres, Birth: BirthPeewee, Target: 4, Available: 3}, *missing); diff != "" {
		t.Errorf("The error differs (-want +got):\n%s", diff)
	}
	if want := "revision 4 has no files for postgres and birth peewee: they go up to revision 3"; missing.Error() != want {
		t.Errorf("Error() = %q, want %q", missing, want)
	}
	none, err := b.Files(fsys, SQLite, BirthPeewee)
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Require(1); err == nil || !strings.Contains(err.Error(), "nor has any other") {
		t.Errorf("Require(1) = %v, want that there are no files at all", err)
	}
}

func TestFilesMissing(t *testing.T) {
	t.Parallel()
	without := func(names ...string) []string {
		var kept []string
		for _, name := range complete {
			if !strings.Contains(strings.Join(names, " "), name) {
				kept = append(kept, name)
			}
		}
		return kept
	}
	tests := map[string]struct {
		files     []string
		birth     Birth
		version   int
		direction Direction
		available int
	}{
		"a revision": {
			files: without(pair("postgres/002_second")...), birth: BirthPeewee,
			version: 2, direction: Up, available: 1,
		},
		"the first revision": {
			files: without(pair("postgres/001_first")...), birth: BirthPeewee,
			version: 1, direction: Up,
		},
		"the first revision of a birth": {
			files: without(pair("postgres/003_third")...), birth: BirthAlembic,
			version: 3, direction: Up,
		},
		"an up file":         {files: without("postgres/004_fourth.up.sql"), birth: BirthPeewee, version: 4, direction: Up, available: 3},
		"a down file":        {files: without("postgres/004_fourth.down.sql"), birth: BirthPeewee, version: 4, direction: Down, available: 3},
		"the last down file": {files: without("postgres/005_fifth.down.sql"), birth: BirthAlembic, version: 5, direction: Down, available: 4},
		"the last up file":   {files: without("postgres/005_fifth.up.sql"), birth: BirthPeewee, version: 5, direction: Up, available: 4},
		"only an override": {
			files: append([]string{"postgres/alembic/004_fourth.up.sql"}, complete[:6]...), birth: BirthAlembic,
			version: 4, direction: Down, available: 3,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := tree(test.files...)
			files, err := mustLoad(t, fsys).Files(fsys, Postgres, test.birth)
			var missing *MissingFileError
			if !errors.As(err, &missing) {
				t.Fatalf("Files() = %v, want a MissingFileError", err)
			}
			want := MissingFileError{Engine: Postgres, Birth: test.birth, Version: test.version, Direction: test.direction}
			if diff := cmp.Diff(want, *missing); diff != "" {
				t.Errorf("The error differs (-want +got):\n%s", diff)
			}
			if got := files.Available(); got != test.available {
				t.Errorf("Available() = %d, want %d", got, test.available)
			}
		})
	}
}

func TestFilesRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files  []string
		engine Engine
		birth  Birth
		want   string
	}{
		"no number":                  {files: []string{"postgres/first.up.sql"}, want: "postgres/first.up.sql: want a name such as"},
		"two digits":                 {files: []string{"postgres/01_first.up.sql"}, want: "want a name such as"},
		"no direction":               {files: []string{"postgres/001_first.sql"}, want: "want a name such as"},
		"not SQL":                    {files: []string{"postgres/README.md"}, want: "postgres/README.md: want a name such as"},
		"unknown revision":           {files: []string{"postgres/006_sixth.up.sql"}, want: "the manifest has no revision 6"},
		"revision 0":                 {files: []string{"postgres/000_none.up.sql"}, want: "the manifest has no revision 0"},
		"wrong name":                 {files: []string{"postgres/002_first.up.sql"}, want: "revision 2 is named second"},
		"wrong name of an override":  {files: []string{"postgres/alembic/004_four.up.sql"}, birth: BirthAlembic, want: "revision 4 is named fourth"},
		"override before the birth":  {files: []string{"postgres/alembic/002_second.up.sql"}, birth: BirthAlembic, want: "birth alembic begins with revision 3"},
		"directory of no birth":      {files: []string{"postgres/alembik/004_fourth.up.sql"}, want: "postgres/alembik: no birth keeps its files"},
		"directory of birth peewee":  {files: []string{"postgres/peewee/004_fourth.up.sql"}, want: "postgres/peewee: no birth keeps its files"},
		"directory in an override":   {files: []string{"postgres/alembic/old/004_fourth.up.sql"}, birth: BirthAlembic, want: "postgres/alembic/old: no birth"},
		"unknown birth":              {files: complete, birth: "rails", want: `no birth "rails"`},
		"unknown engine":             {files: complete, engine: "oracle", want: `no engine "oracle"`},
		"catalogs are not an engine": {files: complete, engine: "catalogs", want: `no engine "catalogs"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.engine == "" {
				test.engine = Postgres
			}
			if test.birth == "" {
				test.birth = BirthPeewee
			}
			fsys := tree(test.files...)
			_, err := mustLoad(t, fsys).Files(fsys, test.engine, test.birth)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Files() = %v, want %q", err, test.want)
			}
		})
	}
}

func TestFilesRefusesEmptyFile(t *testing.T) {
	t.Parallel()
	fsys := tree(complete...)
	fsys["postgres/002_second.down.sql"].Data = []byte(" \n\t\n")
	files, err := mustLoad(t, fsys).Files(fsys, Postgres, BirthPeewee)
	if err == nil || !strings.Contains(err.Error(), "postgres/002_second.down.sql: is empty") {
		t.Errorf("Files() = %v, want that the file is empty", err)
	}
	if got := files.Available(); got != 1 {
		t.Errorf("Available() = %d, want 1", got)
	}
}

// Every file of the bundle must belong to a revision, and both engines must
// reach as far for every birth.
func TestFilesOpenWebUI(t *testing.T) {
	t.Parallel()
	fsys := openWebUIFiles()
	b := openWebUI(t)
	reach := make(map[Engine]int)
	for _, engine := range b.Engines {
		for _, spec := range b.Births {
			files, err := b.Files(fsys, engine, spec.Name)
			if err != nil {
				t.Errorf("Files(%s, %s): %v", engine, spec.Name, err)
			}
			if far, ok := reach[engine]; ok && far != files.Available() {
				t.Errorf("Files(%s, %s) reach to %d, those of other births to %d", engine, spec.Name, files.Available(), far)
			}
			reach[engine] = files.Available()
		}
	}
	if reach[Postgres] != reach[SQLite] {
		t.Errorf("Files reach to %d for PostgreSQL and to %d for SQLite", reach[Postgres], reach[SQLite])
	}
}
