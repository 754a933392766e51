package migrate

import (
	"testing"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestGuards: what the caller refuses is not begun, and the result says where
// the database stands.
func TestGuards(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(4)...)
	b.Revisions[2].Label = bundle.Quiesce
	b.Revisions[3].Destructive = true
	tests := map[string]struct {
		at, target string
		change     func(*Options)
		reason     result.Reason // empty: done
		stays      int
	}{
		"fencing":                    {at: "1", target: "3", change: func(o *Options) { o.RefuseFencing = true }, reason: result.ReasonFencing, stays: 1},
		"fencing, not pending":       {at: "1", target: "2", change: func(o *Options) { o.RefuseFencing = true }},
		"fencing, past":              {at: "3", target: "4", change: func(o *Options) { o.RefuseFencing = true }},
		"fencing, not refused":       {at: "1", target: "4", change: func(*Options) {}},
		"fencing, down":              {at: "3", target: "2", change: func(o *Options) { o.RefuseFencing = true }},
		"fencing, empty database":    {at: Empty, target: "3", change: func(o *Options) { o.RefuseFencing = true }},
		"destructive":                {at: "3", target: "4", change: func(o *Options) { o.RefuseDestructive = true }, reason: result.ReasonDestructive, stays: 3},
		"destructive, not pending":   {at: "2", target: "3", change: func(o *Options) { o.RefuseDestructive = true }},
		"destructive, empty":         {at: Empty, target: "4", change: func(o *Options) { o.RefuseDestructive = true }},
		"expected":                   {at: "2", target: "4", change: func(o *Options) { o.Expect = "2" }},
		"expected, on the way":       {at: "3", target: "4", change: func(o *Options) { o.Expect = "2" }},
		"expected, there already":    {at: "4", target: "4", change: func(o *Options) { o.Expect = "2" }},
		"expected, down, on the way": {at: "3", target: "2", change: func(o *Options) { o.Expect = "4" }},
		"expected by id":             {at: "2", target: "4", change: func(o *Options) { o.Expect = testID(2) }},
		"expected empty":             {at: Empty, target: "4", change: func(o *Options) { o.Expect = Empty }},
		"older than expected":        {at: "1", target: "4", change: func(o *Options) { o.Expect = "2" }, reason: result.ReasonUnexpectedRevision, stays: 1},
		"past the target":            {at: "4", target: "3", change: func(o *Options) { o.Expect = "2" }, reason: result.ReasonUnexpectedRevision, stays: 4},
		"empty and not expected so":  {at: Empty, target: "4", change: func(o *Options) { o.Expect = "2" }, reason: result.ReasonUnexpectedRevision},
	}
	for name, tt := range tests {
		for engine, open := range engines {
			t.Run(name+"/"+engine, func(t *testing.T) {
				t.Parallel()
				p := open(t)
				if tt.at != Empty {
					p.migrate(t, b, files, tt.at)
				}
				o := p.options(t, b, files, tt.target)
				tt.change(&o)
				got := migrateWith(t, o)
				if tt.reason == "" {
					if got.err != nil {
						t.Errorf("the run was refused: %v", got.err)
					}
					return
				}
				got.wantReason(t, result.Refused, tt.reason)
				if got.From != tt.stays || got.To != tt.stays || got.Applied != 0 {
					t.Errorf("the result is %+v, want nothing done at revision %d", got.Result, tt.stays)
				}
			})
		}
	}
}

// TestRefusedBeforeAdoption: the result says where a database stands that was
// not adopted because the rest was refused.
func TestRefusedBeforeAdoption(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	b.Revisions[2].Label = bundle.Breaking
	p := newPostgres(t)
	p.migrate(t, b, files, "2")
	p.exec(t, "DROP TABLE schema_migrations, schemagate_history, schemagate_owner")
	o := p.options(t, b, files, "3")
	o.RefuseFencing = true
	got := migrateWith(t, o)
	got.wantReason(t, result.Refused, result.ReasonFencing)
	if got.To != 2 || got.Birth != "alembic" || got.AdoptedAt != 0 {
		t.Errorf("the result is %+v, want revision 2, not adopted", got.Result)
	}
}
