package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// TestFirstLight applies a workload and its schema together, in either order,
// to an old database, and upgrades and rolls back.
func TestFirstLight(t *testing.T) {
	t.Parallel()
	for name, schemaFirst := range map[string]bool{"schema first": true, "workload first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.legacy()
			objects := []client.Object{w.newSchema(), w.newDeployment(oldRelease, 3)}
			if !schemaFirst {
				slices.Reverse(objects)
			}
			for _, object := range objects {
				create(t, object)
			}
			schema := w.awaitApplied(needs[oldRelease])
			if s := schema.Status; s.Birth != v1alpha1.BirthPeewee || s.AdoptedFrom != "peewee 018" || s.VerifiedTime == nil {
				t.Errorf("the status is %s", describe(schema))
			}
			w.awaitRelease(oldRelease, 3)

			w.release(newRelease)
			w.awaitRelease(newRelease, 3)
			schema = w.awaitApplied(needs[newRelease])
			if s := schema.Status.Serves; s.From > needs[oldRelease] || s.To != needs[newRelease] {
				t.Errorf("after an additive upgrade it serves %d to %d", s.From, s.To)
			}
			if got := w.value("SELECT version_num FROM alembic_version"); got != schema.Status.AppliedRevision.ID {
				t.Errorf("alembic_version is %s, the status says %s", got, schema.Status.AppliedRevision.ID)
			}

			before, err := w.jobs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.release(oldRelease)
			w.awaitRelease(oldRelease, 3)
			schema = w.awaitReason(metav1.ConditionTrue, v1alpha1.ReasonUpToDate)
			after, err := w.jobs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(after) != len(before) || schema.Status.AppliedRevision.Version != needs[newRelease] {
				t.Errorf("the rollback ran %d Jobs and left revision %d, want none and %d",
					len(after)-len(before), schema.Status.AppliedRevision.Version, needs[newRelease])
			}
			if rows := w.value("SELECT count(*) FROM chat"); rows != "100" {
				t.Errorf("there are %s chats, want 100", rows)
			}
		})
	}
}

// TestTwoSchemasOnOneDatabase: the younger one stalls, whether the operator sees
// that they are the same or only the database does.
func TestTwoSchemasOnOneDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 1))
	w.awaitApplied(needs[newRelease])

	younger := w.newSchema()
	younger.Name = "younger"
	younger.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetAppVersion, AppVersion: newRelease}
	create(t, younger)
	awaitStalled(t, younger, v1alpha1.ReasonDatabaseShared)

	create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "other"}, StringData: map[string]string{"url": w.url}})
	hidden := w.newSchema()
	hidden.Name = "hidden"
	hidden.Spec.Target = younger.Spec.Target
	hidden.Spec.Database.URLFrom.SecretKeyRef = v1alpha1.KeySelector{Name: "other", Key: "url"}
	create(t, hidden)
	awaitStalled(t, hidden, "DatabaseOwned")
}

func awaitStalled(t *testing.T, schema *v1alpha1.DatabaseSchema, reason string) {
	t.Helper()
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(schema), schema); err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(schema.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionStalled && c.Status == metav1.ConditionTrue && c.Reason == reason
		}), describe(schema)
	})
}

// TestSchemaDeletedAndCreatedAgain: what a schema knew is found out again, and
// nothing is migrated down or dropped.
func TestSchemaDeletedAndCreatedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 2))
	w.awaitRelease(newRelease, 2)

	schema := w.newSchema()
	if err := admin.Delete(t.Context(), schema, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		t.Fatal(err)
	}
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		_, err := w.schema(ctx)
		return client.IgnoreNotFound(err) == nil && err != nil, fmt.Sprint(err)
	})
	w.release(oldRelease)
	w.awaitWaiting(oldRelease)
	create(t, w.newSchema())
	w.awaitRelease(oldRelease, 2)
	if got := w.awaitReason(metav1.ConditionTrue, v1alpha1.ReasonUpToDate); got.Status.AppliedRevision.Version != needs[newRelease] {
		t.Errorf("the new schema says %s", describe(got))
	}
	if rows := w.value("SELECT count(*) FROM chat"); rows != "100" {
		t.Errorf("there are %s chats, want 100", rows)
	}
}
