package e2e_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// scale sets the number of replicas of the workload.
func (w *world) scale(replicas int) {
	w.t.Helper()
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui"}}
	w.patch(deployment, `{"spec": {"replicas": %d}}`, replicas)
	if replicas > 0 {
		return
	}
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		pods, err := w.pods(ctx)
		return err == nil && len(pods) == 0, fmt.Sprintf("%d pods are left", len(pods))
	})
}

// annotate sets an annotation of the schema.
func (w *world) annotate(key, value string) {
	w.t.Helper()
	schema, err := w.schema(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.patch(schema, `{"metadata": {"annotations": {%q: %q}}}`, key, value)
}

var approval = regexp.MustCompile(regexp.QuoteMeta(v1alpha1.AnnotationApprove) + `=([0-9a-f]+)`)

// cross rolls a release out, and agrees to what it does to the data.
func (w *world) cross(release string) {
	w.t.Helper()
	w.release(release)
	w.awaitWaiting(release)
	w.approve()
	w.awaitApplied(needs[release])
	w.awaitRelease(release, 2)
}

// TestWholeHistory takes one installation from a Peewee release to one of the
// last before Alembic went on alone, and keeps its rows.
func TestWholeHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	create(t, w.newSchema())
	create(t, w.newDeployment(oldRelease, 2))
	w.awaitApplied(needs[oldRelease])
	w.awaitRelease(oldRelease, 2)

	w.cross(laterRelease)
	w.release(betweenRelease)
	w.awaitApplied(needs[betweenRelease])
	w.awaitRelease(betweenRelease, 2)
	w.cross(lastRelease)

	schema := w.awaitReason(metav1.ConditionTrue, v1alpha1.ReasonUpToDate)
	if got := w.value("SELECT version_num FROM alembic_version"); got != schema.Status.AppliedRevision.ID {
		t.Errorf("alembic_version is %s, the status says %s", got, schema.Status.AppliedRevision.ID)
	}
	if rows := w.value("SELECT count(*) FROM chat"); rows != "100" {
		t.Errorf("there are %s chats, want 100", rows)
	}
	if s := schema.Status; s.Drift.Count > 0 || s.Birth != v1alpha1.BirthPeewee {
		t.Errorf("the status is %s, drift %+v", describe(schema), s.Drift)
	}
}

// TestDrift: somebody drops an index; a look finds out, and the policy keeps the
// database from being migrated until it is back.
func TestDrift(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	schema := w.newSchema()
	schema.Spec.Policy.Drift = v1alpha1.DriftBlock
	create(t, schema)
	create(t, w.newDeployment(oldRelease, 1))
	w.awaitRelease(oldRelease, 1)

	w.exec("DROP INDEX function_id")
	w.annotate(v1alpha1.AnnotationVerify, "now")
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		current, err := w.schema(ctx)
		if err != nil {
			return false, err.Error()
		}
		drifted := apimeta.IsStatusConditionTrue(current.Status.Conditions, v1alpha1.ConditionDrifted)
		ready := apimeta.IsStatusConditionTrue(current.Status.Conditions, v1alpha1.ConditionReady)
		return drifted && ready, describe(current)
	})
	w.release(newRelease)
	stalled := w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonDrifted)
	if s := stalled.Status; s.AppliedRevision.Version != needs[oldRelease] || len(s.Drift.Differences) != 1 {
		t.Errorf("the status is %s, drift %+v", describe(stalled), s.Drift)
	}
	w.awaitWaiting(newRelease)

	w.exec(`CREATE UNIQUE INDEX function_id ON "function" (id)`)
	w.annotate(v1alpha1.AnnotationRetry, "now")
	after := w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)
	if after.Status.Drift.Count > 0 {
		t.Errorf("the drift is still %+v", after.Status.Drift)
	}
}
