package catalog_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
)

// clone returns a copy that shares nothing.
func clone(t *testing.T, c *catalog.Catalog) *catalog.Catalog {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out, err := catalog.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type change struct {
	base   func() *catalog.Catalog
	change func(*catalog.Catalog)
	want   catalog.Difference
}

func missing(lines ...string) catalog.Difference { return catalog.Difference{Missing: lines} }
func changed(lines ...string) catalog.Difference { return catalog.Difference{Changed: lines} }
func extra(lines ...string) catalog.Difference   { return catalog.Difference{Extra: lines} }

var changes = map[string]change{
	"nothing": {wantPgEverything, func(*catalog.Catalog) {}, catalog.Difference{}},
	"table missing": {
		wantPgEverything, func(c *catalog.Catalog) { delete(c.Tables, "nothing") }, missing("table nothing is missing"),
	},
	"table extra": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["mine"] = &catalog.Table{} }, extra("table mine"),
	},
	"column missing": {
		wantPgEverything, func(c *catalog.Catalog) {
			t := c.Tables["everything"]
			t.Columns = slices.Delete(t.Columns, 1, 2)
		},
		missing("table everything: column price is missing (numeric(10,2) NOT NULL DEFAULT 1.5)"),
	},
	"generated column missing": {
		wantPgEverything, func(c *catalog.Catalog) {
			t := c.Tables["everything"]
			t.Columns = slices.Delete(t.Columns, 4, 5)
		},
		missing("table everything: column double is missing (numeric GENERATED ALWAYS AS ((price * (2)::numeric)) STORED)"),
	},
	"column extra": {
		wantPgEverything, func(c *catalog.Catalog) {
			t := c.Tables["nothing"]
			t.Columns = append(t.Columns, catalog.Column{Name: "mine", Type: "text"})
		},
		extra("table nothing: column mine"),
	},
	"columns in another order": {
		wantPgEverything, func(c *catalog.Catalog) {
			slices.Reverse(c.Tables["everything"].Columns)
			for i := range c.Tables["everything"].Columns {
				c.Tables["everything"].Columns[i].Position = i + 1
			}
		}, catalog.Difference{},
	},
	"column type": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["user"].Columns[1].Type = "bigint" },
		changed("table user: column group is bigint instead of integer"),
	},
	"column NOT NULL": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["user"].Columns[1].NotNull = true },
		changed("table user: column group is NOT NULL and should not be"),
	},
	"column nullable": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Columns[1].NotNull = false },
		changed("table everything: column price is not NOT NULL"),
	},
	"default of the user's": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["user"].Columns[1].Default = "4711" },
		changed("table user: column group has a default and should not"),
	},
	"default missing": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Columns[1].Default = "" },
		changed("table everything: column price has no default, it should be 1.5"),
	},
	"default differs": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Columns[1].Default = "4711" },
		changed("table everything: column price has another default than 1.5"),
	},
	"generated differs": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Columns[4].Generated = "4711" },
		changed("table everything: column double has another generation expression than (price * (2)::numeric)"),
	},
	"not stored": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Columns[4].Stored = false },
		changed("table everything: column double is not STORED"),
	},
	"identity": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["user"].Columns[0].Identity = "" },
		changed(`table user: column id is an identity "" instead of "always"`),
	},
	"primary key missing": {
		wantPgEverything, func(c *catalog.Catalog) {
			c.Tables["user"].PrimaryKey = nil
			c.Tables["user"].Indexes = c.Tables["user"].Indexes[1:]
		},
		missing("table user: primary key pk user (id) is missing"),
	},
	"primary key instead of none": {
		wantPgEverything, func(c *catalog.Catalog) {
			c.Tables["nothing"].PrimaryKey = &catalog.Key{Name: "pk", Columns: []string{"a", "b"}}
			c.Tables["nothing"].Indexes = []catalog.Index{{Name: "pk", Definition: "CREATE", BacksConstraint: true}}
		},
		changed("table nothing: it has a primary key pk (a, b) and should not"),
	},
	"primary key renamed": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["user"].PrimaryKey.Name = "user_pkey" },
		changed("table user: the primary key is user_pkey (id) instead of pk user (id)"),
	},
	"unique missing": {
		wantPgEverything, func(c *catalog.Catalog) {
			c.Tables["user"].Unique = nil
			c.Tables["user"].Indexes = c.Tables["user"].Indexes[:1]
		},
		missing("table user: unique constraint two columns (na me, group) DEFERRABLE INITIALLY DEFERRED is missing"),
	},
	"unique of the user's": {
		wantPgEverything, func(c *catalog.Catalog) {
			c.Tables["nothing"].Unique = []catalog.Key{{Name: "mine", Columns: []string{"a"}}}
		},
		changed("table nothing: it has a unique constraint mine (a) and should not"),
	},
	"unique on other columns": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Unique[0].Columns = []string{"price"} },
		changed("table everything: unique constraint is everything_other_key (price) instead of everything_other_key (other)"),
	},
	"unique renamed": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Unique[0].Name = "renamed" },
		changed("table everything: unique constraint is renamed (other) instead of everything_other_key (other)"),
	},
	"foreign key action": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].ForeignKeys[1].OnDelete = "RESTRICT" },
		changed("table everything: foreign key is far (number) to public.user (id) ON DELETE RESTRICT ON UPDATE NO ACTION DEFERRABLE NOT VALID" +
			" instead of far (number) to public.user (id) ON DELETE CASCADE ON UPDATE NO ACTION DEFERRABLE NOT VALID"),
	},
	"foreign key missing": {
		wantPgEverything, func(c *catalog.Catalog) {
			t := c.Tables["everything"]
			t.ForeignKeys = t.ForeignKeys[1:]
		},
		missing("table everything: foreign key everything_user (user_id) to user (id) ON DELETE SET NULL ON UPDATE CASCADE is missing"),
	},
	"check missing": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Checks = c.Tables["everything"].Checks[:1] },
		missing("table everything: check positive CHECK ((price > (0)::numeric)) is missing"),
	},
	"check of the user's": {
		wantPgEverything, func(c *catalog.Catalog) {
			c.Tables["nothing"].Checks = []catalog.Check{{Name: "mine", Definition: "CHECK (4711)"}}
		},
		changed("table nothing: it has a check mine and should not"),
	},
	"check differs": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Checks[1].Definition = "CHECK (4711)" },
		changed("table everything: check positive has another definition instead of positive CHECK ((price > (0)::numeric))"),
	},
	"index missing": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Indexes = c.Tables["everything"].Indexes[:3] },
		missing("table everything: index including is missing (CREATE UNIQUE INDEX including ON everything USING btree (number) INCLUDE (price))"),
	},
	"index extra": {
		wantPgEverything, func(c *catalog.Catalog) {
			c.Tables["nothing"].Indexes = []catalog.Index{{Name: "mine", Definition: "CREATE INDEX mine"}}
		},
		extra("table nothing: index mine"),
	},
	"index differs": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Indexes[3].Definition = "4711" },
		changed("table everything: index including is not as it should be (CREATE UNIQUE INDEX including ON everything USING btree (number) INCLUDE (price))"),
	},
	"index invalid": {
		wantPgEverything, func(c *catalog.Catalog) { c.Tables["everything"].Indexes[3].Invalid = true },
		changed("table everything: index including is not valid"),
	},
	"sequence missing": {
		wantPgEverything, func(c *catalog.Catalog) { c.Sequences = c.Sequences[1:] }, missing("sequence counter is missing"),
	},
	"sequence owned by another": {
		wantPgEverything, func(c *catalog.Catalog) { c.Sequences[1].OwnedBy = "" },
		changed("sequence everything_number_seq is owned by no column instead of everything.number"),
	},
	"sequence extra": {
		wantPgEverything, func(c *catalog.Catalog) { c.Sequences = append(c.Sequences, catalog.Sequence{Name: "mine"}) },
		extra("sequence mine"),
	},
	"view missing": {
		wantPgEverything, func(c *catalog.Catalog) { c.Views = c.Views[1:] },
		missing("view names is missing"),
	},
	"view differs": {
		wantLiteEverything, func(c *catalog.Catalog) { c.Views[0].Definition = "4711" },
		changed("view names is not as it should be (CREATE VIEW names AS SELECT a FROM everything)"),
	},
	"view extra": {
		wantPgEverything, func(c *catalog.Catalog) { c.Views = append(c.Views, catalog.View{Name: "mine"}) }, extra("view mine"),
	},
	"autoincrement": {
		wantLiteEverything, func(c *catalog.Catalog) { c.Tables["user"].Autoincrement = false },
		changed("table user: it is not AUTOINCREMENT"),
	},
	"unnamed unique missing": {
		wantLiteEverything, func(c *catalog.Catalog) {
			t := c.Tables["everything"]
			t.Unique, t.Indexes = t.Unique[:2], slices.Delete(t.Indexes, 2, 3)
		},
		missing("table everything: unique constraint (d, a) is missing"),
	},
	"unnamed unique on other columns": {
		wantLiteEverything, func(c *catalog.Catalog) { c.Tables["everything"].Unique[2].Columns = []string{"a"} },
		catalog.Difference{
			Missing: []string{"table everything: unique constraint (d, a) is missing"},
			Changed: []string{"table everything: it has a unique constraint (a) and should not"},
		},
	},
	"unnamed check of the user's": {
		wantLiteEverything, func(c *catalog.Catalog) {
			t := c.Tables["user"]
			t.Checks = append(t.Checks, catalog.Check{Definition: "4711"})
		},
		changed("table user: it has a check without a name and should not"),
	},
	"check that lost its name": {
		wantLiteEverything, func(c *catalog.Catalog) { c.Tables["user"].Checks[1].Name = "" },
		changed(`table user: check has no name instead of it's positive id > 0 and ( group < > ')' )`),
	},
	"spelled otherwise": {
		wantLiteEverything, func(c *catalog.Catalog) {
			t := c.Tables["everything"]
			t.Columns[0].Type, t.Columns[2].Generated = "text", `"a"||  [B]`
			t.Indexes[3].Definition = "create index [by LOWER] on `everything`(LOWER(A),\n\"b\" desc)WHERE a is not null -- why"
			c.Tables["user"].Checks[0].Definition = "id<10"
		}, catalog.Difference{},
	},
	"string in other letters": {
		wantLiteEverything, func(c *catalog.Catalog) { c.Tables["user"].Columns[1].Default = "'A, (b'" },
		changed("table user: column group has another default than 'a, (b'"),
	},
	"another engine": {
		wantPgEverything, func(c *catalog.Catalog) { c.Engine = bundle.SQLite },
		changed("the engine is sqlite instead of postgres"),
	},
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for name, tt := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := tt.base(), clone(t, tt.base())
			tt.change(got)
			before, after := clone(t, want), clone(t, got)
			d := catalog.Compare(want, got)
			if diff := cmp.Diff(tt.want, d); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if drift := slices.Concat(tt.want.Missing, tt.want.Changed); !slices.Equal(drift, d.Drift()) {
				t.Errorf("drift %q, want %q", d.Drift(), drift)
			}
			if same := want.Fingerprint() == got.Fingerprint(); same != d.Empty() {
				t.Errorf("equal fingerprints: %t, no difference: %t", same, d.Empty())
			}
			if strings.Contains(strings.Join(d.Drift(), "\n")+strings.Join(d.Extra, "\n"), "4711") {
				t.Error("the difference quotes what a user has written")
			}
			// What is compared may be shared, such as a carried catalog.
			if diff := cmp.Diff(before, clone(t, want)) + cmp.Diff(after, clone(t, got)); diff != "" {
				t.Errorf("comparing has changed what it compared:\n%s", diff)
			}
			if back := catalog.Compare(got, want); back.Empty() != d.Empty() {
				t.Errorf("the other way round: %+v", back)
			}
		})
	}
}

// Databases know catalogs by these values; a change makes them all unknown.
func TestFingerprintIsStable(t *testing.T) {
	t.Parallel()
	c := &catalog.Catalog{Engine: bundle.Postgres, Tables: map[string]*catalog.Table{
		"t": {Columns: []catalog.Column{{Name: "b", Position: 2, Type: "text"}, {Name: "a", Position: 1, Type: "integer", NotNull: true}}},
	}}
	const want = "cbc48e4538e811b3e06f190c41b9eef75adf0b8d1efcaa96ebffe7a278ca0c91"
	for range 10 {
		if got := c.Fingerprint(); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing": ``, "no object": `[]`, "no engine": `{"tables": {}}`, "another engine": `{"engine": "oracle", "tables": {}}`,
		"no tables": `{"engine": "sqlite"}`, "table null": `{"engine": "sqlite", "tables": {"t": null}}`,
	} {
		if c, err := catalog.Decode([]byte(text)); err == nil {
			t.Errorf("%s: decoded to %+v", name, c)
		}
	}
}
