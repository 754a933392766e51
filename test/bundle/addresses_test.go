package bundle_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestEmailAddresses has accounts share an address from the first revision on,
// which only revision 73 forbids.
func TestEmailAddresses(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 1, bundle.BirthPeewee)
			p.load(t, `INSERT INTO "user" (id, name, email, role, profile_image_url, "timestamp") VALUES
				('u1', '', 'Ann@Example.test', 'user', '', 1), ('u2', '', 'ann@example.test', 'user', '', 2),
				('u3', '', 'ann+1@example.test', 'user', '', 3)`)
			before := p.rows(t).lines(p.catalog(t))
			res, err := p.run(t, 73, bundle.BirthPeewee, nil)
			var refusal *migrate.Error
			if !errors.As(err, &refusal) || res.Reason != result.ReasonPreflight || res.Applied != 0 {
				t.Fatalf("the run ended as %s/%s with %d revisions applied: %v", res.Outcome, res.Reason, res.Applied, err)
			}
			if checks := refusal.Failure.Checks; len(checks) != 1 || checks[0].Name != "user-email" || checks[0].Rows != 2 {
				t.Errorf("the failed checks are %+v, want user-email alone, with two rows", checks)
			}
			if diff := cmp.Diff(before, p.rows(t).lines(p.catalog(t))); diff != "" {
				t.Errorf("a refused run changed rows (-before +after):\n%s", diff)
			}
			p.migrate(t, 72, bundle.BirthPeewee)
			p.load(t, `UPDATE "user" SET email = 'ann2@example.test' WHERE id = 'u2'`)
			p.migrate(t, 73, bundle.BirthPeewee)
			const again = `UPDATE "user" SET email = 'ANN2@EXAMPLE.TEST' WHERE id = 'u3'`
			if _, err := p.db.ExecContext(t.Context(), again); err == nil {
				t.Error("two accounts share an address at revision 73")
			}
			p.migrate(t, 72, bundle.BirthPeewee)
			p.load(t, again)
		})
	}
}

// TestNoEmailAddress lets many accounts have none, as those of the birth alembic
// may.
func TestNoEmailAddress(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 72, bundle.BirthAlembic)
			p.load(t, `INSERT INTO "user" (id, email) VALUES ('u1', NULL), ('u2', NULL), ('u3', '')`)
			p.migrate(t, 73, bundle.BirthAlembic)
			p.load(t, `INSERT INTO "user" (id, email) VALUES ('u4', NULL), ('u5', 'x@example.test')`)
		})
	}
}
