package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// workload is a kind of object that makes pods.
type workload struct {
	// create makes it with two replicas of the release before.
	create func(w *world)
	// release rolls the fencing release out.
	release func(w *world)
}

// workloads are the kinds that a drain works for.
var workloads = map[string]workload{
	"Deployment": {
		create:  func(w *world) { create(w.t, w.newDeployment(newRelease, 2)) },
		release: func(w *world) { w.release(fencingRelease) },
	},
	"Deployment that recreates": {
		create: func(w *world) {
			deployment := w.newDeployment(newRelease, 2)
			deployment.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
			create(w.t, deployment)
		},
		release: func(w *world) { w.release(fencingRelease) },
	},
	"StatefulSet": {
		create: func(w *world) { create(w.t, w.newStatefulSet()) },
		release: func(w *world) {
			w.patch(w.newStatefulSet(), `{"spec": {"template": {"spec": {"containers": [{"name": %q, "image": %q}]}}}}`,
				v1alpha1.DefaultContainer, standin(fencingRelease))
		},
	},
	// As Argo Rollouts makes them: one ReplicaSet for each template, numbered by
	// an annotation, with an owner that nothing here knows.
	"ReplicaSets of a rollout": {
		create: func(w *world) {
			create(w.t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "rollout"}})
			create(w.t, w.newReplicaSet("first", newRelease, "1"))
		},
		release: func(w *world) {
			create(w.t, w.newReplicaSet("second", fencingRelease, "2"))
			// It takes the old ones away as soon as new ones are ready.
			w.awaitApplied(needs[fencingRelease])
			w.patch(w.newReplicaSet("first", newRelease, "1"), `{"spec": {"replicas": 0}}`)
		},
	},
	"bare ReplicaSet": {
		create: func(w *world) {
			set := w.newReplicaSet("bare", newRelease, "")
			set.OwnerReferences, set.Annotations = nil, nil
			create(w.t, set)
		},
		// It replaces no pod by itself, so somebody has to say what is wanted.
		release: func(w *world) {
			set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "bare"}}
			w.patch(set, `{"spec": {"template": {"spec": {"containers": [{"name": %q, "image": %q}]}}}}`, v1alpha1.DefaultContainer, standin(fencingRelease))
			w.patchSchema(`{"spec": {"target": {"type": "AppVersion", "appVersion": %q}}}`, fencingRelease)
		},
	},
}

// newStatefulSet returns an ordered workload with two replicas of the release before,
// not created yet.
func (w *world) newStatefulSet() *appsv1.StatefulSet {
	template := w.newDeployment(newRelease, 2).Spec
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: template.Replicas, Selector: template.Selector, Template: template.Template, ServiceName: "open-webui",
		},
	}
}

// newReplicaSet returns one of several of a rollout, not created yet.
func (w *world) newReplicaSet(name, release, revision string) *appsv1.ReplicaSet {
	template := w.newDeployment(release, 2).Spec
	labels := map[string]string{"app": "open-webui", "set": name}
	template.Template.Labels["set"] = name
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: name, Labels: template.Template.Labels,
			Annotations: map[string]string{"rollout.argoproj.io/revision": revision},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: template.Replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template.Template},
	}
	owner := &corev1.ConfigMap{}
	if err := admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "rollout"}, owner); err == nil {
		set.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))}
	}
	return set
}

func (w *world) patchSchema(format string, args ...any) {
	w.t.Helper()
	w.patch(&v1alpha1.DatabaseSchema{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: schemaName}}, format, args...)
}

// TestDrain upgrades across a fencing revision with one change of the workload:
// the operator ends what runs, and nobody has to scale anything.
func TestDrain(t *testing.T) {
	t.Parallel()
	for kind, load := range workloads {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			create(t, w.newSchema())
			load.create(w)
			w.awaitRelease(newRelease, 2)
			load.release(w)
			schema := w.awaitApplied(needs[fencingRelease])
			w.awaitRelease(fencingRelease, 2)
			if s := schema.Status.Serves; s.From != needs[fencingRelease] {
				t.Errorf("it serves %d to %d, want nothing older than %d", s.From, s.To, needs[fencingRelease])
			}
		})
	}
}

// TestRolling: by the strategy Rolling nobody is ended, which is told; where older
// pods break, somebody has to agree. They run on, and none comes back.
func TestRolling(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, after string
		breaks        bool
	}{
		"quiesce":  {newRelease, fencingRelease, false},
		"breaking": {betweenRelease, lastRelease, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			schema := w.newSchema()
			schema.Spec.Rollout.Strategy = v1alpha1.StrategyRolling
			schema.Spec.Policy.Destructive = v1alpha1.DestructiveAllow
			create(t, schema)
			create(t, w.newDeployment(tc.before, 2))
			w.awaitRelease(tc.before, 2)
			before := w.ready(t.Context(), tc.before)

			create(t, w.newSecond(tc.after, 1))
			if tc.breaks {
				asking := w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval)
				if message := apimeta.FindStatusCondition(asking.Status.Conditions, v1alpha1.ConditionReady).Message; !strings.Contains(message,
					"spec.rollout.strategy is Rolling, and pods of older releases that keep running break: ") {
					t.Errorf("it does not say what breaks: %s", message)
				}
				w.approve()
			}
			w.awaitApplied(needs[tc.after])
			apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
				return len(w.ready(ctx, tc.after)) == 1, "the newer one does not serve"
			})
			w.awaitWarning(v1alpha1.ReasonMigrating, "because spec.rollout.strategy is Rolling")
			for _, pod := range before {
				now := &corev1.Pod{}
				if err := admin.Get(t.Context(), client.ObjectKeyFromObject(&pod), now); err != nil {
					t.Fatal(err)
				}
				if now.UID != pod.UID || !now.DeletionTimestamp.IsZero() || now.Status.Phase != corev1.PodRunning {
					t.Errorf("pod %s did not run on: %+v", pod.Name, now.Status)
				}
			}
			if err := admin.Delete(t.Context(), &before[0]); err != nil {
				t.Fatal(err)
			}
			w.awaitWaiting(tc.before)
		})
	}
}

// awaitWarning waits for an event of the schema that warns.
func (w *world) awaitWarning(reason, note string) {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		events := &corev1.EventList{}
		if err := admin.List(ctx, events, client.InNamespace(w.namespace)); err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
			return e.Reason == reason && e.Type == corev1.EventTypeWarning && strings.Contains(e.Message, note)
		}), "no such warning"
	})
}

// TestRollbackAcrossAFence: what is too old now waits while the newer pods serve
// on, until somebody lets the database go back.
func TestRollbackAcrossAFence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(fencingRelease, 2))
	w.awaitRelease(fencingRelease, 2)
	w.release(newRelease)
	schema := w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonDowngradeRequired)
	w.awaitWaiting(newRelease)
	if s := schema.Status; s.Serves.To != needs[fencingRelease] || s.Gate.State != v1alpha1.GateOpen || len(w.ready(t.Context(), fencingRelease)) == 0 {
		t.Errorf("the newer pods do not serve: %s", describe(schema))
	}
	w.patchSchema(`{"spec": {"policy": {"downgrade": "RequireApproval"}}}`)
	w.approve()
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 2)
}

// ready lists the pods of a release that are ready.
func (w *world) ready(ctx context.Context, release string) []corev1.Pod {
	w.t.Helper()
	pods, err := w.pods(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		return pod.Spec.Containers[0].Image != standin(release) || !isReady(&pod)
	})
}

// approve does what the schema asks for.
func (w *world) approve() {
	w.t.Helper()
	schema := w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval)
	asked := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionApprovalRequired)
	if asked == nil {
		w.t.Fatalf("nobody is asked: %s", describe(schema))
	}
	digest := approval.FindStringSubmatch(asked.Message)
	if digest == nil {
		w.t.Fatalf("the message does not say how to approve: %s", asked.Message)
	}
	w.annotate(v1alpha1.AnnotationApprove, digest[1])
}

// TestImageThatCannotBePulled: nothing is ended for it.
func TestImageThatCannotBePulled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 2))
	w.awaitRelease(newRelease, 2)
	w.release(fencingRelease + "-missing")
	schema := w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonApplicationImageUnavailable)
	if s := schema.Status; s.Gate.State != v1alpha1.GateOpen || s.Serves.To != needs[newRelease] || len(w.ready(t.Context(), newRelease)) != 2 {
		t.Errorf("the old pods do not serve on: %s", describe(schema))
	}
	w.release(fencingRelease)
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 2)
}

// TestBackupBefore: nothing is ended before the backup has succeeded.
func TestBackupBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	schema := w.newSchema()
	schema.Spec.Rollout.Before.CronJob = "backup"
	create(t, schema)
	create(t, w.newDeployment(newRelease, 1))
	w.awaitRelease(newRelease, 1)
	w.release(fencingRelease)
	w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonCronJobMissing)

	backup := &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "backup"},
		Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", Suspend: new(true),
			JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
				BackoffLimit: new(int32(0)),
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever,
					Containers:    []corev1.Container{{Name: "backup", Image: "schemagate:dev", ImagePullPolicy: corev1.PullNever, Args: []string{"no-such-command"}}},
				}},
			}},
		},
	}
	create(t, backup)
	failed := w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonBackupFailed)
	if s := failed.Status; s.Gate.State != v1alpha1.GateOpen || len(w.ready(t.Context(), newRelease)) != 1 {
		t.Errorf("the old pod does not serve on: %s", describe(failed))
	}
	w.patch(backup, `{"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "backup", "args": ["version"]}]}}}}}}`)
	w.annotate(v1alpha1.AnnotationRetry, "now")
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 1)
	jobs, err := w.jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := slices.ContainsFunc(jobs, func(job batchv1.Job) bool {
		return migrationjob.PurposeOf(&job) == migrationjob.PurposeBackup && job.Status.Succeeded == 1
	})
	if !done {
		t.Error("no backup has succeeded")
	}
}

// TestDrainTakesTooLong: a pod that does not go is named, and the migration
// begins by itself when it has gone.
func TestDrainTakesTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	schema := w.newSchema()
	schema.Spec.Rollout.DrainTimeoutSeconds = 2
	create(t, schema)
	deployment := w.newDeployment(newRelease, 1)
	template := &deployment.Spec.Template.Spec
	template.TerminationGracePeriodSeconds = new(int64(30))
	template.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 10}}}
	create(t, deployment)
	w.awaitRelease(newRelease, 1)
	slow := w.ready(t.Context(), newRelease)[0]
	w.release(fencingRelease)
	stalled := w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonDrainTimeout)
	told := apimeta.FindStatusCondition(stalled.Status.Conditions, v1alpha1.ConditionStalled)
	if told == nil || !strings.Contains(told.Message, slow.Name) || stalled.Status.Gate.State != v1alpha1.GateHeld {
		t.Errorf("the status is %s", describe(stalled))
	}
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 1)
}

// TestSessionsOfOthers: a session that uses the database keeps a fencing revision
// from running, unless it is one that does not count.
func TestSessionsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 1))
	w.awaitRelease(newRelease, 1)
	conn, err := postgres.Open(t, w.url+"&application_name=report").Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	w.release(fencingRelease)
	told := w.awaitReason(metav1.ConditionFalse, "DatabaseInUse")
	if ready := apimeta.FindStatusCondition(told.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(ready.Message, `1 sessions of "report"`) {
		t.Errorf("the message is %q", ready.Message)
	}
	w.patchSchema(`{"spec": {"rollout": {"ignoreSessions": ["report"]}}}`)
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 1)
	if err := conn.PingContext(t.Context()); err != nil {
		t.Errorf("a session that does not count was ended: %v", err)
	}
}

// TestTooNewCanary: one labeled pod of a release that nobody knows disturbs
// nobody.
func TestTooNewCanary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 2))
	w.awaitRelease(newRelease, 2)
	canary := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "canary", Labels: map[string]string{v1alpha1.LabelSchema: schemaName}},
		Spec:       *w.newDeployment("99.0.0", 1).Spec.Template.Spec.DeepCopy(),
	}
	create(t, canary)
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		schema, err := w.schema(ctx)
		if err != nil {
			return false, err.Error()
		}
		open := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionGateOpen)
		ready := apimeta.IsStatusConditionTrue(schema.Status.Conditions, v1alpha1.ConditionReady)
		return ready && open != nil && strings.Contains(open.Message, "canary"), describe(schema)
	})
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(canary), canary); err != nil || !schedgate.Has(canary) {
		t.Errorf("the canary: %v, gates %v", err, canary.Spec.SchedulingGates)
	}
	if pods := w.ready(t.Context(), newRelease); len(pods) != 2 {
		t.Errorf("%d pods serve", len(pods))
	}
}
