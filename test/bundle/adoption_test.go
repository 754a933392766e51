package bundle_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/migrations"
)

// forget makes a database one that this program has never seen.
const forget = `DROP TABLE schema_migrations; DROP TABLE schemagate_history; DROP TABLE schemagate_owner;`

func stamped(id string) string { return "UPDATE alembic_version SET version_num = '" + id + "';" }

// adoption is a database as the application or a person has left it, and what
// becomes of it.
type adoption struct {
	birth  bundle.Birth
	begin  int    // the database is made at this revision,
	damage string // and changed by these statements
	only   step.Dialect

	adopt     migrate.Adoption
	at        int // adopted at; 0 means refused
	told      int // what the application's tables tell
	additions []string
	extra     []string
	reason    result.Reason
	says      []string
	late      bool // the plan cannot know yet
}

var adoptions = map[string]adoption{
	"no version table": {birth: bundle.BirthPeewee, begin: 60, damage: "DROP TABLE alembic_version; DROP TABLE migratehistory;", at: 60},
	"no version table, alembic alone": {
		birth: bundle.BirthAlembic, begin: 63, damage: "DROP TABLE alembic_version;", at: 63,
	},
	"several rows": {
		birth: bundle.BirthAlembic, begin: 57, damage: "INSERT INTO alembic_version (version_num) VALUES ('4fe53821c9e6');", at: 57,
	},
	"stamped ahead of what it holds": {
		birth: bundle.BirthPeewee, begin: 30, damage: stamped("4de81c2a3af1"), at: 30, told: 59,
	},
	"stamped behind, and all of the next revisions is there": {
		birth: bundle.BirthPeewee, begin: 39, damage: stamped("9f0c9cd09105"), at: 39, told: 34,
	},
	"Peewee stopped at 016, and Alembic went on": {
		birth: bundle.BirthPeewee, begin: 59,
		damage: `DELETE FROM migratehistory WHERE name LIKE '017%' OR name LIKE '018%'; DROP INDEX is_global_idx; ALTER TABLE "function" DROP COLUMN is_global;`,
		at:     59, told: 59, additions: []string{"table function: column is_global", "table function: index is_global_idx"},
	},
	"a trigger on a table that has to be built anew": {
		birth: bundle.BirthPeewee, begin: 59, only: step.SQLite,
		damage: `DROP INDEX is_global_idx; ALTER TABLE "function" DROP COLUMN is_global;
			CREATE TRIGGER mine AFTER INSERT ON "function" BEGIN DELETE FROM auth; END;`,
		at: 59, told: 59, additions: []string{"table function: column is_global", "table function: index is_global_idx"},
	},
	"tables of the next revision are there, some are missing": {
		birth: bundle.BirthAlembic, begin: 58, damage: "DROP TABLE calendar_event_attendee;" + stamped("e1f2a3b4c5d6"),
		reason: result.ReasonCatalogDiffers, says: []string{"revision 57"}, // which moves rows
	},
	"the last revision is half applied": {
		birth: bundle.BirthAlembic, begin: 54, damage: "DROP TABLE automation_run;" + stamped("a3dd5bedd151"),
		at: 54, told: 53, additions: []string{"table automation_run"},
	},
	"rows are in the way of what comes after the repair": {
		birth: bundle.BirthAlembic, begin: 61, reason: result.ReasonPreflight, says: []string{"config"},
		damage: "INSERT INTO config (data, version, created_at) VALUES ('[1]', 0, '2025-01-01'); DROP TABLE calendar_event_attendee;", late: true,
	},
	"a column and an index are missing": {
		birth: bundle.BirthPeewee, begin: 60, damage: "DROP INDEX folder_id_idx; ALTER TABLE chat DROP COLUMN summary;",
		at: 60, told: 60, additions: []string{"table chat: column summary", "table chat: index folder_id_idx"},
	},
	"a table that a revision fills is missing": {
		birth: bundle.BirthPeewee, begin: 60, damage: "DROP TABLE chat_message;",
		reason: result.ReasonCatalogDiffers, says: []string{"table chat_message", "revision 49"},
	},
	"a required column is missing": {
		birth: bundle.BirthPeewee, begin: 22, damage: `ALTER TABLE "user" DROP COLUMN last_active_at;`,
		reason: result.ReasonCatalogDiffers, says: []string{"last_active_at", "NOT NULL"},
	},
	"a table of the next revision that fills it": {
		birth: bundle.BirthPeewee, begin: 39, damage: "CREATE TABLE group_member (id text);",
		reason: result.ReasonCatalogDiffers, says: []string{"table group_member", "revision 40"},
	},
	"a column is of another type": {
		birth: bundle.BirthPeewee, begin: 39, damage: "ALTER TABLE note ALTER COLUMN title TYPE varchar(10);", only: step.Postgres,
		reason: result.ReasonCatalogDiffers, says: []string{"note", "title", "character varying(10)"},
	},
	"a fork": {
		// Its history began anew, and has all tables but one.
		birth: bundle.BirthAlembic, begin: 36, damage: "DROP TABLE config;" + stamped("4fe53821c9e6"),
		at: 36, additions: []string{"table config"},
	},
	"a fork with nothing in it": {
		birth: bundle.BirthAlembic, begin: 19, damage: "DROP TABLE prompt; DROP TABLE memory; DROP TABLE model; DROP TABLE tool; " +
			`DROP TABLE "function"; DROP TABLE document; DROP TABLE chatidtag;` + stamped("4fe53821c9e6"),
		reason: result.ReasonCatalogDiffers, says: []string{"only"},
	},
	"a newer release": {
		birth: bundle.BirthPeewee, begin: 76, damage: `ALTER TABLE chat ADD COLUMN mood text;` + stamped("0123456789ab"),
		reason: result.ReasonUnknownDatabase, says: []string{"newer schemagate", "--adopt=76"},
	},
	"a fork that is vouched for": {
		birth: bundle.BirthPeewee, begin: 76, damage: `ALTER TABLE chat ADD COLUMN mood text;` + stamped("0123456789ab"),
		adopt: "461111b60977", at: 0, reason: result.ReasonCatalogDiffers, says: []string{"which revision"},
	},
	"the newest, vouched for": {
		birth: bundle.BirthPeewee, begin: 76, damage: `ALTER TABLE chat ADD COLUMN mood text;` + stamped("0123456789ab"),
		adopt: "76", at: 76, extra: []string{"table chat: column mood"},
	},
	"a table that a revision fills, vouched for": {
		birth: bundle.BirthAlembic, begin: 60, damage: "DROP TABLE chat_message;", adopt: "60",
		at: 60, told: 60, additions: []string{"table chat_message"},
	},
	"objects that are not ours": {
		birth: bundle.BirthPeewee, begin: 60,
		damage: "CREATE TABLE document_chunk (id text, text text); CREATE INDEX mine ON note (title); CREATE VIEW readers AS SELECT c.id FROM document_chunk AS c JOIN auth AS a ON a.id = c.id;",
		at:     60, told: 60, extra: []string{"table document_chunk", "table note: index mine", "view readers"},
	},
	"another application": {
		birth: bundle.BirthPeewee, begin: 0, damage: `CREATE TABLE "user" (id integer); CREATE TABLE orders (id integer);`,
		reason: result.ReasonCatalogDiffers, says: []string{"no version table", "only 1 of 12"},
	},
}

// TestAdoption adopts databases of all kinds, sees what a plan says, and that
// every one that is adopted becomes one of those that are known.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for name, test := range adoptions {
		for dialect, open := range engines {
			if test.only != "" && test.only != dialect {
				continue
			}
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				test.run(t, open(t))
			})
		}
	}
}

func (a adoption) run(t *testing.T, p place) {
	t.Helper()
	catalogs, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	if a.begin > 0 {
		p.migrate(t, a.begin, a.birth)
		p.load(t, forget)
	}
	p.load(t, a.damage)
	before := p.catalog(t)
	o := p.options(t, newest, "", catalogs)
	o.Adopt = a.adopt
	with(t, o, func(r *migrate.Runner) { a.wantPlan(t, r) })
	var res result.Result
	with(t, o, func(r *migrate.Runner) { res, err = r.Run(t.Context()) })
	if a.at == 0 {
		a.wantRefusal(t, err)
		if diff := cmp.Diff(before.lines, p.catalog(t).lines); diff != "" {
			t.Errorf("the refusal changes the database (-before +after):\n%s", diff)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if res.AdoptedAt != a.at || res.To != newest {
		t.Errorf("adopted at %d and migrated to %d, want %d and %d", res.AdoptedAt, res.To, a.at, newest)
	}
	a.wantKnown(t, p, catalogs)
}

// wantPlan looks at what a plan says.
func (a adoption) wantPlan(t *testing.T, r *migrate.Runner) {
	t.Helper()
	plan, err := r.Plan(t.Context())
	if a.at == 0 && !a.late {
		a.wantRefusal(t, err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if a.late {
		return
	}
	got := adoption{birth: plan.Birth, at: plan.From, told: plan.Stamp, additions: plan.Additions, extra: plan.Extra}
	slices.Sort(got.additions)
	want := adoption{birth: a.birth, at: a.at, told: a.told, additions: a.additions, extra: a.extra}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(adoption{})); diff != "" || !plan.Adopt {
		t.Errorf("the plan is not as expected (adopts: %t, -want +got):\n%s", plan.Adopt, diff)
	}
}

// wantKnown wants the database to be one of those that there are.
func (a adoption) wantKnown(t *testing.T, p place, catalogs *catalog.Set) {
	t.Helper()
	difference, known, err := catalogs.Compare(t.Context(), p.db, p.dialect, migrate.DefaultSchema, newest, a.birth)
	if differences := difference.Drift(); err != nil || !known || len(differences) > 0 {
		t.Errorf("in the end: known %t, differences %q, %v", known, differences, err)
	}
	var id string
	if err := p.db.QueryRowContext(t.Context(), "SELECT version_num FROM alembic_version").Scan(&id); err != nil {
		t.Fatal(err)
	}
	if want := "d4c1a8e37b62"; id != want {
		t.Errorf("alembic_version says %s, want %s", id, want)
	}
}

// TestApplicationMovesOn lets the application migrate a database by itself that
// this program has migrated before.
func TestApplicationMovesOn(t *testing.T) {
	t.Parallel()
	catalogs, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	// What it would look like had the application done what the program has.
	const moved = "UPDATE schema_migrations SET version = 60; DELETE FROM schemagate_history WHERE revision > 60;"
	tests := map[string]struct {
		damage string
		adopt  migrate.Adoption
		reason result.Reason // empty if it is adopted once more
	}{
		"cleanly":             {damage: moved},
		"adoption is refused": {damage: moved, adopt: migrate.AdoptNever, reason: result.ReasonVersionChangedByOthers},
		"only the version":    {damage: stamped("461111b60977"), reason: result.ReasonVersionChangedByOthers},
	}
	for name, test := range tests {
		for dialect, open := range engines {
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 63, bundle.BirthPeewee)
				p.load(t, test.damage)
				o := p.options(t, newest, "", catalogs)
				o.Adopt = test.adopt
				var res result.Result
				var err error
				with(t, o, func(r *migrate.Runner) { res, err = r.Run(t.Context()) })
				if test.reason != "" {
					adoption{reason: test.reason}.wantRefusal(t, err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if res.From != 63 || res.AdoptedAt != 63 || res.To != newest {
					t.Errorf("the result is %+v", res)
				}
				if res, err := p.run(t, newest, "", catalogs); err != nil || res.Applied+res.AdoptedAt != 0 {
					t.Errorf("once more: %+v, %v", res, err)
				}
			})
		}
	}
}

func (a adoption) wantRefusal(t *testing.T, err error) {
	t.Helper()
	var e *migrate.Error
	if err == nil {
		t.Fatal("it is not refused")
	}
	if !errors.As(err, &e) || e.Reason != a.reason {
		t.Fatalf("refused with %v, want reason %s", err, a.reason)
	}
	for _, want := range a.says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %q:\n%v", want, err)
		}
	}
}
