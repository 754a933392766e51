package main

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/appversion"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/migrations"
)

func required(tb testing.TB, engine dburl.Engine, release string) requirement {
	tb.Helper()
	r, err := newRequirement(migrations.OpenWebUI(), engine, release)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func at(tb testing.TB, r requirement, birth bundle.Birth, version int) *catalog.Catalog {
	tb.Helper()
	c, known := r.catalogs.At(r.engine, birth, version)
	if !known {
		tb.Fatalf("There is no catalog of revision %d for birth %s", version, birth)
	}
	return c
}

func TestProblem(t *testing.T) {
	t.Parallel()
	empty := func(c *catalog.Catalog) { c.Tables = map[string]*catalog.Table{} }
	for name, tt := range map[string]struct {
		release string
		birth   bundle.Birth
		version int
		change  func(*catalog.Catalog)
		want    string
	}{
		"at its revision":       {release: "0.3.6", version: 18},
		"additive revisions on": {release: "0.2.0", version: 18},
		"quiesce revisions on":  {release: "0.3.6", version: 22},
		"between two releases":  {release: "0.3.32", version: 22},
		"other births edition":  {release: "0.3.31", birth: bundle.BirthPeewee095, version: 22},

		"one table short":  {release: "0.3.16", version: 19, want: "requires revision 20 (ca81bd47c050): table config is missing"},
		"one column short": {release: "0.3.31", version: 20, want: "requires revision 22 (6a39f3d8e55c): column file.hash is missing"},
		"long before":      {release: "0.3.31", version: 3, want: "requires revision 22 (6a39f3d8e55c): column chat.archived is missing"},
		"nothing there": {
			release: "0.3.6", version: 18, change: empty, want: "requires revision 18 (018): table auth is missing",
		},

		"a new column must be filled": {
			release: "0.1.117", version: 4,
			want: "requires revision 3 (003): column chat.archived must be filled, and this release does not know it",
		},
		"a column is gone": {release: "0.1.117", version: 5, want: "requires revision 3 (003): column chat.timestamp is missing"},
		"a table is gone":  {release: "0.1.125", version: 10, want: "requires revision 8 (008): table modelfile is missing"},
		"a column is of another kind": {
			release: "0.3.6", version: 18,
			change: func(c *catalog.Catalog) { c.Tables["chat"].Columns[3].Type = "json" },
			want:   "requires revision 18 (018): column chat.chat is json instead of text",
		},
		"what is added wants nothing": {
			release: "0.3.6", version: 18,
			change: func(c *catalog.Catalog) {
				c.Tables["mine"] = &catalog.Table{Columns: []catalog.Column{{Name: "a", Type: "json", NotNull: true}}}
				c.Tables["chat"].Columns = append(c.Tables["chat"].Columns,
					catalog.Column{Name: "a", Type: "json"}, catalog.Column{Name: "b", Type: "json", NotNull: true, Default: "'{}'"})
			},
		},

		"born too late": {
			release: "0.3.8", birth: bundle.BirthAlembic, version: 19,
			want: "requires revision 19 (7e5b5dc7342b): table migratehistory is missing: the database was made for 0.9.6 or newer",
		},
		"beyond the carried catalogs": {
			release: "0.11.1", birth: bundle.BirthAlembic, version: 22,
			change: func(c *catalog.Catalog) { delete(c.Tables, "user") },
			want:   "requires revision 76 (d4c1a8e37b62): ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := required(t, dburl.Postgres, tt.release)
			birth := tt.birth
			if birth == "" {
				birth = bundle.BirthPeewee
			}
			live := at(t, r, birth, tt.version)
			if tt.change != nil {
				live = clone(live)
				tt.change(live)
			}
			got := r.problem(live, birth != bundle.BirthAlembic && len(live.Tables) > 0)
			if got != tt.want && (!strings.HasSuffix(tt.want, ": ") || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("problem is %q, want %q", got, tt.want)
			}
		})
	}
}

// clone copies a catalog as deep as it is changed here.
func clone(c *catalog.Catalog) *catalog.Catalog {
	out := &catalog.Catalog{Engine: c.Engine, Tables: map[string]*catalog.Table{}}
	for name, table := range c.Tables {
		out.Tables[name] = &catalog.Table{Columns: slices.Clone(table.Columns)}
	}
	return out
}

// unseen are the breaking revisions that not every older release can see in
// tables and columns: either they change only rows, or rights, or what they
// remove came with the release given here.
var unseen = map[int]string{30: "", 40: "0.4.0", 41: "0.4.0", 43: "", 57: "", 59: "0.9.0"}

// breaks reports whether a revision takes something away that a release sees.
func breaks(tb testing.TB, revision bundle.Revision, release appversion.Version) bool {
	tb.Helper()
	from, listed := unseen[revision.Version]
	if !listed || revision.Label != bundle.Breaking {
		return revision.Label == bundle.Breaking
	}
	if from == "" {
		return false
	}
	seenFrom, err := appversion.Parse(from)
	if err != nil {
		tb.Fatal(err)
	}
	return release.Compare(seenFrom) >= 0
}

// TestAgreesWithLabels takes every release through every newer revision that
// the bundle carries a catalog of: it must run exactly as long as no revision
// is labeled breaking.
func TestAgreesWithLabels(t *testing.T) {
	t.Parallel()
	for _, engine := range []dburl.Engine{dburl.Postgres, dburl.SQLite} {
		for _, birth := range []bundle.Birth{bundle.BirthPeewee, bundle.BirthPeewee095, bundle.BirthAlembic} {
			t.Run(fmt.Sprintf("%s/%s", engine, birth), func(t *testing.T) {
				t.Parallel()
				agreesWithLabels(t, engine, birth)
			})
		}
	}
}

func agreesWithLabels(t *testing.T, engine dburl.Engine, birth bundle.Birth) {
	t.Helper()
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	releases, err := b.Releases()
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := b.Birth(birth)
	for _, release := range releases {
		r := required(t, engine, release.App.String())
		if _, known := r.catalogs.At(r.engine, birth, r.revision.Version); !known {
			continue
		}
		broken := release.App.Compare(spec.AppFrom) < 0
		for version := r.revision.Version; version <= b.Latest().Version; version++ {
			live, known := r.catalogs.At(r.engine, birth, version)
			if !known {
				break
			}
			revision, _ := b.Revision(version)
			broken = broken || version > r.revision.Version && breaks(t, revision, release.App)
			problem := r.problem(live, birth != bundle.BirthAlembic)
			if broken != (problem != "") {
				t.Errorf("release %s at revision %d: problem is %q, labeled as breaking: %t", release.App, version, problem, broken)
			}
		}
	}
}

func TestNewRequirementRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files   fs.FS
		release string
		want    string
	}{
		"no release":       {migrations.OpenWebUI(), "", `"" is not an application version`},
		"no such release":  {migrations.OpenWebUI(), "0.1.0", "older than 0.1.117"},
		"a future release": {migrations.OpenWebUI(), "9.0.0", "newer than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := newRequirement(tt.files, dburl.Postgres, tt.release); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestOpenTellsNothing(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"postgresql://:s3cret@db/webui",
		"postgresql://me:s3cret@db/webui?sslmode=verify-full&sslrootcert=/nowhere/s3cret.pem",
	} {
		database, err := dburl.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		db, err := open(database)
		if err == nil {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err = db.PingContext(ctx)
			closeDB(t, db)
		}
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error is %v", err)
		}
	}
}

func closeDB(tb testing.TB, db *sql.DB) {
	tb.Helper()
	if err := db.Close(); err != nil {
		tb.Error(err)
	}
}

// TestEveryRevisionHasUsers keeps true what birth relies on.
func TestEveryRevisionHasUsers(t *testing.T) {
	t.Parallel()
	r := required(t, dburl.Postgres, "0.11.1")
	for _, birth := range []bundle.Birth{bundle.BirthPeewee, bundle.BirthAlembic} {
		for version := 1; ; version++ {
			c, known := r.catalogs.At(r.engine, birth, version)
			if !known && version > 19 {
				break
			}
			if known && c.Tables["user"] == nil {
				t.Errorf("birth %s has no users at revision %d, but %v", birth, version, slices.Sorted(maps.Keys(c.Tables)))
			}
		}
	}
}
