package openwebui_test

import (
	"database/sql"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	_ "modernc.org/sqlite" // the SQLite driver

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// TestUpgrade is the life of an installation on PostgreSQL. Every step up is one
// "helm upgrade", which comes back when the new release runs; every step back is a
// "helm rollback" that a person has to agree to.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for kind, tc := range map[string]struct {
		file string
		// serving is how many newer pods stay while a rollback is refused.
		serving int
	}{
		"Deployment":  {"values.yaml", 2},
		"StatefulSet": {"values-statefulset.yaml", 1},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.file, "")
			w.install(t)
			w.runs(oldRelease)
			w.use()
			before := w.rows()
			for _, version := range []string{midRelease, newRelease} {
				w.upgrade(t, version)
				w.runs(version)
				w.untouched()
			}
			w.refused(tc.serving)
			w.approved()
			w.untouched(person)
			if after := w.rows(); after != before {
				t.Errorf("the chats were\n%s\nand are\n%s", before, after)
			}
		})
	}
}

// refused goes back by one release, which nobody has allowed: the newer pods that
// are left serve on, and Helm says what stands in the way.
func (w *world) refused(serving int) {
	w.t.Helper()
	err := w.rollback(2, 30*time.Second)
	schema := w.awaitReason(v1alpha1.ReasonDowngradeRequired)
	stalled := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionStalled)
	if stalled == nil || err == nil || !strings.Contains(err.Error(), stalled.Message) {
		w.t.Fatalf("Helm ends with %v, and the schema is %s", err, describe(schema))
	}
	if ready, text := w.ready(w.t.Context(), newRelease); ready != serving {
		w.t.Errorf("%d newer pods serve, want %d: %s", ready, serving, text)
	}
	if at := schema.Status.AppliedRevision.Version; at != needs[newRelease] {
		w.t.Errorf("the database is at %d", at)
	}
}

// approved allows it, and goes back by one more. Helm waits for the approval.
func (w *world) approved() {
	w.t.Helper()
	w.patch(`{"spec": {"policy": {"downgrade": %q}}}`, v1alpha1.DowngradeRequireApproval)
	w.approve()
	w.awaitRuns(midRelease)

	done := make(chan error, 1)
	go func() { done <- w.rollback(1, timeout) }()
	w.approve()
	must(w.t, <-done)
	w.runs(oldRelease)
	var locale string
	must(w.t, w.db.QueryRowContext(w.t.Context(), "SELECT data->'ui'->>'default_locale' FROM config").Scan(&locale))
	if locale != "eo" {
		w.t.Errorf("the setting of %s is %q", oldRelease, locale)
	}
}

// TestAdoption begins with an installation of the same chart that has migrated its
// database itself. Its first release with the label has the same image, because what
// has no label cannot be drained.
func TestAdoption(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "values.yaml", "persistence: {enabled: false}")
	// A database as the application itself leaves it.
	w.install(t)
	w.uninstall(t)
	w.exec("DROP TABLE schema_migrations, schemagate_history, schemagate_owner")

	plain := w.release
	plain.values = maps.Clone(w.values)
	delete(plain.values, "podLabels")
	delete(plain.values, "extraResources")
	plain.install(t)
	w.use()
	before := w.rows()

	w.upgrade(t, oldRelease)
	w.runs(oldRelease)
	schema, err := w.schema(t.Context())
	must(t, err)
	if s := schema.Status; s.AdoptedFrom == "" || s.Birth != v1alpha1.BirthAlembic {
		t.Errorf("the database of birth %q was adopted from %q", s.Birth, s.AdoptedFrom)
	}
	w.upgrade(t, midRelease)
	w.runs(midRelease)
	w.untouched()
	if after := w.rows(); after != before {
		t.Errorf("the chats were\n%s\nand are\n%s", before, after)
	}
}

// TestSQLite upgrades what the chart is by default: one pod of a set, with a file on
// a claim of the chart.
func TestSQLite(t *testing.T) {
	t.Parallel()
	// The application finds the file by itself and is root; the stand-in is neither.
	w := newWorld(t, "values-sqlite.yaml", "databaseUrl: 'sqlite:////app/backend/data/webui.db'\npodSecurityContext: {runAsUser: 0}")
	w.install(t)
	w.runs(oldRelease)
	file, err := sql.Open("sqlite", filepath.Join(w.directory, "webui.db"))
	must(t, err)
	t.Cleanup(func() { must(t, file.Close()) })
	w.db = file
	w.exec(`INSERT INTO chat (id, user_id, title, chat, archived, created_at, updated_at) VALUES ('c1', 'u1', 'Chat 1', '{"messages": []}', 0, 1, 1)`)
	for _, version := range []string{midRelease, newRelease} {
		w.upgrade(t, version)
		w.runs(version)
		w.untouched()
	}
	var title string
	must(t, file.QueryRowContext(t.Context(), "SELECT title FROM chat WHERE timer_at IS NULL").Scan(&title))
	if title != "Chat 1" {
		t.Errorf("the chat is called %q", title)
	}
}
