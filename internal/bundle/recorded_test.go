package bundle

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded returns what was recorded of the application's database, or skips
// the test: the records are kept beside the repository, not in it.
func recorded(tb testing.TB) fs.FS {
	tb.Helper()
	const dir = "../../../shared/openwebui"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		tb.Skipf("The recorded facts are absent: there is no directory %s", dir)
	}
	return os.DirFS(dir)
}

// fact is one revision as it was recorded.
type fact struct {
	Order              int                 `json:"order"`
	System             History             `json:"system"`
	ID                 string              `json:"id"`
	Name               string              `json:"name"`
	FirstRelease       string              `json:"first_release"`
	Touches            []string            `json:"touches"`
	DataMigration      bool                `json:"data_migration"`
	Destructive        bool                `json:"destructive"`
	BackwardCompatible bool                `json:"backward_compatible"`
	DDL                map[Engine][]string `json:"ddl"`
	DDLAlembicOnly     map[Engine][]string `json:"ddl_alembic_only"`
}

func facts(tb testing.TB) []fact {
	tb.Helper()
	text, err := fs.ReadFile(recorded(tb), "revisions.json")
	if err != nil {
		tb.Fatal(err)
	}
	var all []fact
	if err := json.Unmarshal(text, &all); err != nil {
		tb.Fatal(err)
	}
	return all
}

var peeweeNumber = regexp.MustCompile(`^[0-9]{3}_`)

func TestManifestFollowsRecords(t *testing.T) {
	t.Parallel()
	type identity struct {
		Version       int
		ID            string
		History       History
		Name, App     string
		Touches       []string
		ResolvedByID  int
		ResolvedByNum int
	}
	b := openWebUI(t)
	var want, got []identity
	for _, fact := range facts(t) {
		name := fact.Name
		if fact.System == HistoryPeewee {
			name = peeweeNumber.ReplaceAllString(name, "")
		}
		want = append(want, identity{
			Version: fact.Order, ID: fact.ID, History: fact.System, Name: name, App: fact.FirstRelease,
			Touches: touched(fact), ResolvedByID: fact.Order, ResolvedByNum: fact.Order,
		})
	}
	for _, revision := range b.Revisions {
		got = append(got, identity{
			Version: revision.Version, ID: revision.ID, History: revision.History, Name: revision.Name,
			App: revision.App.String(), Touches: revision.Touches,
			ResolvedByID:  resolved(t, b, revision.ID),
			ResolvedByNum: resolved(t, b, padded(revision.Version)),
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("The manifest differs from the records (-want +got):\n%s", diff)
	}
}

func resolved(tb testing.TB, b *Bundle, ref string) int {
	tb.Helper()
	revision, err := b.Resolve(ref)
	if err != nil {
		tb.Fatal(err)
	}
	return revision.Version
}

// The recorded changes name a foreign key in one of two ways.
var references = []*regexp.Regexp{
	regexp.MustCompile(`foreign key [^;]* -> ([a-z_]+)\(`),
	regexp.MustCompile(`add foreign_keys .*"ref_table": "([a-z_]+)"`),
}

// alsoTouched are the tables that our revisions change beyond those that the
// records name: a deleted chat takes the rows with it that refer to it.
var alsoTouched = map[int][]string{57: {"chat_file"}}

// touched returns the recorded tables and those that new foreign keys refer to,
// which PostgreSQL locks as well.
func touched(fact fact) []string {
	tables := slices.Concat(fact.Touches, alsoTouched[fact.Order])
	for _, changes := range []map[Engine][]string{fact.DDL, fact.DDLAlembicOnly} {
		for _, change := range slices.Concat(changes[Postgres], changes[SQLite]) {
			for _, part := range strings.SplitAfter(change, ";") {
				for _, reference := range references {
					if m := reference.FindStringSubmatch(part); m != nil {
						tables = append(tables, m[1])
					}
				}
			}
		}
	}
	slices.Sort(tables)
	return slices.Compact(tables)
}

// The records say whether a release one older keeps working. Where it does
// not, no label but a fencing one can be right.
func TestLabelsAreNotMilderThanRecords(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	for _, fact := range facts(t) {
		if revision := b.Revisions[fact.Order-1]; !fact.BackwardCompatible && !revision.Label.Fencing() {
			t.Errorf("Revision %d (%s) is labeled %s, but breaks the release before it", fact.Order, fact.ID, revision.Label)
		}
	}
}

// A revision that fills something from data of older releases usually misses
// what they write later. Those that do not are few, and listed here.
func TestLabelsOfDataMigrations(t *testing.T) {
	t.Parallel()
	harmless := map[string]string{
		"016":          "no release inserted into function before",
		"018":          "no release inserted into function before",
		"4ace53fd72c8": "no release wrote to folder before",
		"7b3f2a9c1d4e": "the default fills what is inserted later in the same way",
		"6d09d1bf1f23": "no release writes what it repairs",
	}
	b := openWebUI(t)
	for _, fact := range facts(t) {
		_, listed := harmless[fact.ID]
		if want := fact.DataMigration && !listed; want && !b.Revisions[fact.Order-1].Label.Fencing() {
			t.Errorf("Revision %d (%s) changes data and is labeled additive", fact.Order, fact.ID)
		}
		if listed && !fact.DataMigration {
			t.Errorf("Revision %d (%s) is listed as a data migration, but changes no data", fact.Order, fact.ID)
		}
	}
}

// The records call destructive what removes or reshapes data that an older
// release reads, the manifest what loses data.
func TestDestructiveFollowsRecords(t *testing.T) {
	t.Parallel()
	different := map[string]string{
		"c29facfe716b": "the column is retyped, and keeps every text as it is",
		"4ace53fd72c8": "parts of times are cut off, which no older release reads",
	}
	b := openWebUI(t)
	for _, fact := range facts(t) {
		want := fact.Destructive
		if _, listed := different[fact.ID]; listed {
			want = !want
		}
		if got := b.Revisions[fact.Order-1].Destructive; got != want {
			t.Errorf("Revision %d (%s) is destructive: %t, want %t", fact.Order, fact.ID, got, want)
		}
	}
}

var addsOrDrops = regexp.MustCompile(`^create table |^drop table |: add column |: drop column `)

// A column or table that a revision adds is gone after its way down, with what
// the application has written there, and so is what it has dropped.
func TestLossyDownFollowsRecords(t *testing.T) {
	t.Parallel()
	// What the lists of changes do not show.
	also := map[string]string{
		"7e5b5dc7342b": "it makes tables in an empty database only",
		"3ab32c4b8f59": "tags of several users can have one id after it",
		"4ace53fd72c8": "it cuts times off",
		"242a2047eae0": "it replaces texts that are no JSON",
	}
	b := openWebUI(t)
	for _, fact := range facts(t) {
		_, want := also[fact.ID]
		for _, changes := range fact.DDL {
			want = want || slices.ContainsFunc(changes, addsOrDrops.MatchString)
		}
		if got := b.Revisions[fact.Order-1].LossyDown != ""; got != want {
			t.Errorf("Revision %d (%s) loses something on the way down: %t, want %t", fact.Order, fact.ID, got, want)
		}
	}
}
