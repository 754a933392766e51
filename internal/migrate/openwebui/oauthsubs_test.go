package openwebui

import (
	"database/sql"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

func TestUserOAuthSubs(t *testing.T) {
	t.Parallel()
	onEach(t, sameTables(`CREATE TABLE "user" (id text PRIMARY KEY, oauth json, oauth_sub text)`), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		want := map[string]any{}
		for id, tt := range map[string]struct{ oauth, sub any }{
			"plain":      {`{"google": {"sub": "1"}}`, "google@1"},
			"in text":    {`"{\"oidc\": {\"sub\": \"\\u00e9@b\"}}"`, "oidc@é@b"},
			"two":        {`{"google": {"sub": "1"}, "oidc": {"sub": "2"}}`, "google@1"},
			"second":     {`{"google": null, "a": {}, "b": {"sub": 1}, "c": {"sub": ""}, "d": {"sub": "2"}}`, "d@2"},
			"no name":    {`{"": {"sub": "1"}}`, "@1"},
			"half":       {`{"google": {"sub": "\ud800"}}`, nil},
			"none":       {nil, nil},
			"null":       {`null`, nil},
			"list":       {`[{"sub": "1"}]`, nil},
			"other text": {`"google@1"`, nil},
		} {
			exec(t, db, `INSERT INTO "user" (id, oauth) VALUES ($1, $2)`, id, tt.oauth)
			want[id] = tt.sub
		}
		if _, _, err := apply(t, db, dialect, "user_oauth_sub"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, byID(t, db, `SELECT id, oauth_sub FROM "user"`)); diff != "" {
			t.Errorf("subjects (-want +got):\n%s", diff)
		}
	})
}
