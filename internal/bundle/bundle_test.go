package bundle

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/appversion"
)

// small is a bundle that holds one of everything.
const small = `
name: small
title: Small
engines: [postgres, sqlite]
newestRelease: 1.3.1
births:
  - {name: peewee, first: 1, appFrom: 1.0.0}
  - {name: peewee-0.9.5, first: 1, appFrom: 1.0.0}
  - {name: alembic, first: 3, appFrom: 1.2.0}
bornAlembicFrom: 4
revisions:
  - version: 1
    id: "001"
    history: peewee
    name: first
    app: 1.0.0
    touches: [one, two]
    label: additive
    why: It is the first.
    lossyDown: Drops everything.
  - version: 2
    id: "002"
    history: peewee
    name: second
    app: 1.1.0
    touches: [two]
    label: breaking
    why: It breaks.
    destructive: true
    preflight:
      - name: two-names
        since: 1
        finds: twos without a name
        remedy: Name them.
        query: {postgres: SELECT id FROM two, sqlite: SELECT id FROM two}
      - name: two-json
        since: 1
        finds: twos that cannot be read
        remedy: Repair them.
        step: two_json
  - version: 3
    id: 0123456789ab
    history: alembic
    name: third
    app: 1.1.0
    touches: [three]
    label: additive
    why: It adds.
  - version: 4
    id: ba9876543210
    history: alembic
    name: fourth
    app: 1.2.0
    touches: [three]
    label: quiesce
    why: It fills once.
  - version: 5
    id: cdef01234567
    history: alembic
    name: fifth
    app: 1.3.0
    touches: [three]
    label: additive
    why: It adds.
`

func load(tb testing.TB, manifest string) (*Bundle, error) {
	tb.Helper()
	return Load(fstest.MapFS{ManifestName: {Data: []byte(manifest)}})
}

func mustLoad(tb testing.TB, fsys fs.FS) *Bundle {
	tb.Helper()
	b, err := Load(fsys)
	if err != nil {
		tb.Fatalf("Loading the bundle: %v", err)
	}
	return b
}

func smallBundle(tb testing.TB) *Bundle {
	tb.Helper()
	return mustLoad(tb, fstest.MapFS{ManifestName: {Data: []byte(small)}})
}

// openWebUIFiles is the bundle as it lies in the repository.
func openWebUIFiles() fs.FS { return os.DirFS("../../migrations/open-webui") }

func openWebUI(tb testing.TB) *Bundle {
	tb.Helper()
	return mustLoad(tb, openWebUIFiles())
}

func version(tb testing.TB, s string) appversion.Version {
	tb.Helper()
	if s == "" {
		return appversion.Version{}
	}
	v, err := appversion.Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func TestLoad(t *testing.T) {
	t.Parallel()
	b := smallBundle(t)
	want := Revision{
		Version:     2,
		ID:          "002",
		History:     HistoryPeewee,
		Name:        "second",
		App:         version(t, "1.1.0"),
		Touches:     []string{"two"},
		Label:       Breaking,
		Why:         "It breaks.",
		Destructive: true,
		Preflight: []Check{
			{
				Name: "two-names", Since: 1, Finds: "twos without a name", Remedy: "Name them.",
				Query: map[Engine]string{Postgres: "SELECT id FROM two", SQLite: "SELECT id FROM two"},
			},
			{Name: "two-json", Since: 1, Finds: "twos that cannot be read", Remedy: "Repair them.", Step: "two_json"},
		},
	}
	if diff := cmp.Diff(want, b.Revisions[1]); diff != "" {
		t.Errorf("Revision 2 differs (-want +got):\n%s", diff)
	}
	if got := b.Latest().Version; got != 5 {
		t.Errorf("Latest() = %d, want 5", got)
	}
	if got, ok := b.Revision(5); !ok || got.ID != "cdef01234567" {
		t.Errorf("Revision(5) = %v, %t, want cdef01234567", got.ID, ok)
	}
	for _, n := range []int{-1, 0, 6} {
		if got, ok := b.Revision(n); ok {
			t.Errorf("Revision(%d) = %v, want none", n, got.ID)
		}
	}
}

// Every row breaks one thing in the small bundle and must be told which.
func TestLoadRefusesManifest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ old, new, want string }{
		"unknown key":             {"title: Small", "title: Small\nshade: red", `unknown field "shade"`},
		"unknown key in revision": {"    why: It breaks.", "    why: It breaks.\n    color: red", `revision 2: json: unknown field "color"`},
		"unknown key in check":    {"        step: two_json", "        stop: two_json", `revision 2: json: unknown field "stop"`},
		"key twice":               {"title: Small", "title: Small\ntitle: Large", `key "title" already set`},
		"not YAML":                {"name: small", "name: [", "manifest.yaml: yaml: "},
		"name":                    {"name: small", "name: Small One", `name: "Small One"`},
		"no name":                 {"name: small\n", "", `name: ""`},
		"no title":                {"title: Small\n", "", "title: is missing"},
		"no engines":              {"engines: [postgres, sqlite]\n", "", "engines: are missing"},
		"unknown engine":          {"[postgres, sqlite]", "[postgres, sqlite, oracle]", `engines: "oracle" is not supported`},
		"engine twice":            {"[postgres, sqlite]", "[postgres, sqlite, sqlite]", `engines: "sqlite" is listed twice`},
		"no newest release":       {"newestRelease: 1.3.1\n", "", `newestRelease: "" is older than 1.3.0`},
		"newest release too old":  {"newestRelease: 1.3.1", "newestRelease: 1.2.9", `newestRelease: "1.2.9" is older than 1.3.0`},
		"newest release, two":     {"newestRelease: 1.3.1", `newestRelease: "1.3"`, "is not an application version"},
		"newest release with v":   {"newestRelease: 1.3.1", "newestRelease: v1.3.1", "is not a plain application version"},
		"unknown birth":           {"name: peewee-0.9.5", "name: peewee-0.9.6", `births[1].name: "peewee-0.9.6" is not a birth`},
		"birth twice":             {"name: peewee-0.9.5", "name: peewee", `births[1].name: "peewee" is listed twice`},
		"birth peewee missing":    {"  - {name: peewee, first: 1, appFrom: 1.0.0}\n", "", "births: birth peewee is missing"},
		"birth begins late":       {"{name: peewee, first: 1", "{name: peewee, first: 2", "births[0].first: 2: birth peewee begins with revision 1"},
		"birth begins early":      {"{name: alembic, first: 3", "{name: alembic, first: 2", "births[2].first: 2: birth alembic begins with revision 3"},
		"birth of no release":     {"first: 3, appFrom: 1.2.0", "first: 3, appFrom: 1.2.1", `births[2].appFrom: "1.2.1" is no release`},
		"birth without release":   {"first: 3, appFrom: 1.2.0", "first: 3", `births[2].appFrom: "" is no release`},
		"birth of an old release": {"first: 3, appFrom: 1.2.0", "first: 3, appFrom: 1.0.0", "births[2].appFrom: 1.0.0 needs revision 1, which is before"},
		"id a number":             {`id: "002"`, "id: 002", "revision 2: json: cannot unmarshal number"},
		"born alembic too early":  {"bornAlembicFrom: 4", "bornAlembicFrom: 3", "bornAlembicFrom: 3: the oldest release for birth alembic, 1.2.0, begins with revision 4"},
		"born alembic missing":    {"bornAlembicFrom: 4\n", "", "bornAlembicFrom: 0: "},
		"gap in versions":         {"version: 4", "version: 5", "revision 4 (ba9876543210): version: 5: "},
		"version twice":           {"version: 4", "version: 3", "revision 4 (ba9876543210): version: 3: "},
		"peewee id":               {`id: "002"`, `id: "2"`, `revision 2 (2): id: "2": a Peewee revision has its own number, "002"`},
		"id of another number":    {`id: "002"`, `id: "003"`, `revision 2 (003): id: "003": `},
		"alembic id":              {"id: ba9876543210", "id: BA9876543210", `revision 4 (BA9876543210): id: "BA9876543210": `},
		"id twice":                {"id: ba9876543210", "id: 0123456789ab", `revision 4 (0123456789ab): id: "0123456789ab" is also the id of revision 3`},
		"unknown history":         {"id: ba9876543210\n    history: alembic", "id: ba9876543210\n    history: rails", `revision 4 (ba9876543210): history: "rails"`},
		"peewee after alembic":    {"id: ba9876543210\n    history: alembic", "id: \"004\"\n    history: peewee", "revision 4 (004): history: a Peewee revision cannot follow"},
		"revision name":           {"name: fourth", "name: fourth-one", `revision 4 (ba9876543210): name: "fourth-one"`},
		"app missing":             {"    app: 1.2.0\n", "", "revision 4 (ba9876543210): app: is missing"},
		"app older than before":   {"app: 1.2.0\n", "app: 1.0.9\n", "revision 4 (ba9876543210): app: 1.0.9 is older than 1.1.0"},
		"app a number":            {"app: 1.2.0\n", "app: 1.2\n", "revision 4: json: cannot unmarshal number"},
		"touches nothing":         {"touches: [one, two]", "touches: []", "revision 1 (001): touches: are missing"},
		"touches out of order":    {"touches: [one, two]", "touches: [two, one]", "revision 1 (001): touches: one does not follow two"},
		"touches twice":           {"touches: [one, two]", "touches: [one, one]", "revision 1 (001): touches: one does not follow one"},
		"touches no table":        {"touches: [one, two]", "touches: [one, 'two;']", `revision 1 (001): touches: "two;" is not the name of a table`},
		"scans out of order":      {"touches: [one, two]", "touches: [one, two]\n    scans: [two, one]", "revision 1 (001): scans: one does not follow two"},
		"scans what it leaves":    {"touches: [one, two]", "touches: [one, two]\n    scans: [three]", "revision 1 (001): scans: three is not among the tables that it touches"},
		"touches bookkeeping":     {"touches: [one, two]", "touches: [alembic_version]", "revision 1 (001): touches: alembic_version is bookkeeping"},
		"unknown label":           {"label: quiesce", "label: quiet", `revision 4 (ba9876543210): label: "quiet"`},
		"label missing":           {"    label: quiesce\n", "", `revision 4 (ba9876543210): label: ""`},
		"why missing":             {"    why: It fills once.\n", "", "revision 4 (ba9876543210): why: is missing"},
		"why no sentence":         {"why: It fills once.", "why: It fills once", "revision 4 (ba9876543210): why: does not end with a full stop"},
		"why on two lines":        {"why: It fills once.", "why: |-\n      It fills\n      once.", "revision 4 (ba9876543210): why: has line breaks"},
		"lossyDown no sentence":   {"lossyDown: Drops everything.", "lossyDown: everything", "revision 1 (001): lossyDown: does not end"},
		"check name":              {"name: two-names", "name: Two", `revision 2 (002): preflight[0].name: "Two"`},
		"check twice":             {"name: two-json", "name: two-names", `revision 2 (002): preflight[1].name: "two-names" is also the name`},
		"check since itself":      {"name: two-names\n        since: 1", "name: two-names\n        since: 2", "revision 2 (002): preflight[0].since: 2: "},
		"check since nothing":     {"name: two-names\n        since: 1", "name: two-names\n        since: 0", "revision 2 (002): preflight[0].since: 0: "},
		"check finds nothing":     {"        finds: twos without a name\n", "", "revision 2 (002): preflight[0].finds: "},
		"check finds a sentence":  {"finds: twos without a name", "finds: Twos.", `revision 2 (002): preflight[0].finds: "Twos."`},
		"check without remedy":    {"        remedy: Name them.\n", "", "revision 2 (002): preflight[0].remedy: is missing"},
		"check without query":     {"        step: two_json\n", "", "revision 2 (002): preflight[1].query: is missing, and there is no step either"},
		"check on no engine":      {"sqlite: SELECT", "mysql: SELECT", "revision 2 (002): preflight[0].query.mysql: the bundle has no such engine"},
		"check that deletes":      {"sqlite: SELECT id", "sqlite: DELETE", "revision 2 (002): preflight[0].query.sqlite: want one SELECT"},
		"check of two statements": {"sqlite: SELECT id FROM two", "sqlite: SELECT id FROM two; DELETE FROM two", "revision 2 (002): preflight[0].query.sqlite: want one SELECT"},
		"check step":              {"step: two_json", "step: Two JSON", `revision 2 (002): preflight[1].step: "Two JSON"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(small, test.old) != 1 {
				t.Fatalf("%q stands %d times in the small manifest, want once", test.old, strings.Count(small, test.old))
			}
			_, err := load(t, strings.Replace(small, test.old, test.new, 1))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Load() = %v, want %q", err, test.want)
			}
		})
	}
}

func TestLoadRefusesEmptyBundle(t *testing.T) {
	t.Parallel()
	header, _, _ := strings.Cut(small, "revisions:")
	if _, err := load(t, header); err == nil || !strings.Contains(err.Error(), "revisions: are missing") {
		t.Errorf("Load() = %v, want revisions are missing", err)
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("Load() of an empty directory succeeded")
	}
}

// An author sees all mistakes at once, not one for every attempt.
func TestLoadReportsEverything(t *testing.T) {
	t.Parallel()
	broken := strings.NewReplacer("label: quiesce", "label: quiet", "It breaks.", "It breaks").Replace(small)
	_, err := load(t, broken)
	for _, want := range []string{"revision 2 (002): why", "revision 4 (ba9876543210): label"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load() = %v, want %q", err, want)
		}
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	base := func() fstest.MapFS {
		return fstest.MapFS{
			ManifestName:                      {Data: []byte(small)},
			"postgres/001_first.up.sql":       {Data: []byte("SELECT 1;")},
			"postgres/001_first.down.sql":     {Data: []byte("SELECT 2;")},
			"postgres/alembic/003_third.sql":  {Data: []byte("SELECT 3;")},
			"catalogs/postgres/catalogs.json": {Data: []byte("{}")},
		}
	}
	want := mustLoad(t, base()).Digest()
	if len(want) != 64 {
		t.Errorf("Digest() = %q, want 64 hexadecimal digits", want)
	}
	if got := mustLoad(t, base()).Digest(); got != want {
		t.Errorf("Digest() = %s for the same files, want %s", got, want)
	}
	changes := map[string]struct {
		change func(fstest.MapFS)
		same   bool
	}{
		"a body":       {change: func(m fstest.MapFS) { m["postgres/001_first.up.sql"].Data = []byte("SELECT 9;") }},
		"an override":  {change: func(m fstest.MapFS) { m["postgres/alembic/003_third.sql"].Data = []byte("SELECT 9;") }},
		"a new file":   {change: func(m fstest.MapFS) { m["sqlite/001_first.up.sql"] = &fstest.MapFile{Data: []byte("SELECT 1;")} }},
		"the manifest": {change: func(m fstest.MapFS) { m[ManifestName].Data = []byte(small + "\n# note\n") }},
		"a name": {change: func(m fstest.MapFS) {
			m["postgres/alembic/003_other.sql"] = m["postgres/alembic/003_third.sql"]
			delete(m, "postgres/alembic/003_third.sql")
		}},
		"a boundary": {change: func(m fstest.MapFS) {
			// The next file becomes a part of this one's body.
			m["postgres/001_first.up.sql"].Data = []byte("SELECT 1;postgres/alembic/003_third.sqlSELECT 3;")
			delete(m, "postgres/alembic/003_third.sql")
		}},
		"what is generated": {same: true, change: func(m fstest.MapFS) { m["catalogs/postgres/catalogs.json"].Data = []byte("[]") }},
	}
	for name, test := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := base()
			test.change(files)
			if got := mustLoad(t, files).Digest(); (got == want) != test.same {
				t.Errorf("Digest() = %s, the original has %s, want the same: %t", got, want, test.same)
			}
		})
	}
}

func TestLabelFencing(t *testing.T) {
	t.Parallel()
	for label, want := range map[Label]bool{Additive: false, Quiesce: true, Breaking: true, "": true, "new": true} {
		if got := label.Fencing(); got != want {
			t.Errorf("Label(%q).Fencing() = %t, want %t", label, got, want)
		}
	}
}
