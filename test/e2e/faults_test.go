package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// blocked starts an upgrade whose Job waits for a lock on a table, and returns
// what lets it go.
func (w *world) blocked() (release func()) {
	w.t.Helper()
	w.legacy()
	create(w.t, w.newSchema())
	create(w.t, w.newDeployment(oldRelease, 1))
	w.awaitRelease(oldRelease, 1)
	tx, err := w.db.BeginTx(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := tx.ExecContext(w.t.Context(), "LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE"); err != nil {
		w.t.Fatal(err)
	}
	w.release(newRelease)
	return func() {
		if err := tx.Rollback(); err != nil {
			w.t.Error(err)
		}
	}
}

// TestOperatorKilledDuringMigration: both processes of the operator are killed
// while a Job runs; those that come after record what it did.
func TestOperatorKilledDuringMigration(t *testing.T) {
	w := newWorld(t)
	release := w.blocked()
	w.awaitJobPod()
	killOperator(t)
	release()
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)
	jobs, err := w.jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 2 {
		t.Errorf("there are %d Jobs, want the one of the adoption and the one of the upgrade", len(jobs))
	}
}

// killOperator sends SIGKILL to the operator's processes. They are processes of
// this machine, as the node's pods are.
func killOperator(t *testing.T) {
	t.Helper()
	pods := &corev1.PodList{}
	if err := admin.List(t.Context(), pods, client.InNamespace("schemagate-system")); err != nil {
		t.Fatal(err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, process := range processes {
		cgroup, err := os.ReadFile(process)
		command, err2 := os.ReadFile(filepath.Join(filepath.Dir(process), "cmdline"))
		if err != nil || err2 != nil || !bytes.Contains(command, []byte("manager")) {
			continue
		}
		for i := range pods.Items {
			uid := string(pods.Items[i].UID)
			if !strings.Contains(string(cgroup), uid) && !strings.Contains(string(cgroup), strings.ReplaceAll(uid, "-", "_")) {
				continue
			}
			var pid int
			if _, err := fmt.Sscanf(filepath.Base(filepath.Dir(process)), "%d", &pid); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			killed++
		}
	}
	if killed != len(pods.Items) {
		t.Fatalf("killed %d processes of %d pods", killed, len(pods.Items))
	}
}

// TestLeaderHandover: the leader is stopped as in an update, and another one
// goes on.
func TestLeaderHandover(t *testing.T) {
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(oldRelease, 1))
	w.awaitRelease(oldRelease, 1)
	before := leader(t.Context(), t)
	pod, _, _ := strings.Cut(before, "_")
	if err := admin.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "schemagate-system", Name: pod}}); err != nil {
		t.Fatal(err)
	}
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		now := leader(ctx, t)
		return now != "" && now != before, "the leader is still " + now
	})
	w.release(newRelease)
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)
}

func leader(ctx context.Context, t *testing.T) string {
	t.Helper()
	lease := &coordinationv1.Lease{}
	if err := admin.Get(ctx, client.ObjectKey{Namespace: "schemagate-system", Name: naming.LeaderElectionID}, lease); err != nil {
		t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// TestJobPodDeleted: somebody deletes the migration's pod half-way.
func TestJobPodDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := w.blocked()
	pod := w.awaitJobPod()
	if err := admin.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	release()
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)
}

// TestJobDeleted: somebody deletes the whole Job half-way.
func TestJobDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := w.blocked()
	pod := w.awaitJobPod()
	job := metav1.GetControllerOf(pod)
	jobs, err := w.jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range jobs {
		if jobs[i].UID == job.UID {
			if err := admin.Delete(t.Context(), &jobs[i], client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
				t.Fatal(err)
			}
		}
	}
	release()
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)
}

// TestDatabaseStopped: the server goes away before an upgrade, and comes back.
func TestDatabaseStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	create(t, w.newSchema())
	create(t, w.newDeployment(oldRelease, 1))
	w.awaitRelease(oldRelease, 1)
	w.server.Stop(t)
	w.release(newRelease)
	w.awaitReason(metav1.ConditionFalse, "Unreachable")
	w.server.Restart(t)
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)
}

// TestMendedByOthers: whatever is wrong with the connection is named, and heals
// by itself once it is mended.
func TestMendedByOthers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		broken func(w *world) map[string]string // what the Secret holds; nil: there is none
		reason string
	}{
		"wrong password": {func(w *world) map[string]string {
			return map[string]string{"DATABASE_URL": strings.Replace(w.url, ":"+w.password+"@", ":wrong@", 1)}
		}, "Authentication"},
		"unknown host": {func(w *world) map[string]string {
			return map[string]string{"DATABASE_URL": at(w.t, w.url, "database.invalid")}
		}, "Unreachable"},
		"unreachable port": {func(w *world) map[string]string {
			return map[string]string{"DATABASE_URL": strings.Replace(w.url, fmt.Sprint(w.server.Port()), "9", 1)}
		}, "Unreachable"},
		"no URL at all": {func(*world) map[string]string {
			return map[string]string{"DATABASE_URL": "postgres"}
		}, "InvalidURL"},
		"missing Secret": {func(*world) map[string]string { return nil }, "SecretMissing"},
		"missing key":    {func(w *world) map[string]string { return map[string]string{"URL": w.url} }, "SecretMissing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			content := tc.broken(w)
			if content != nil {
				w.secret(content)
			} else if err := admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui-db"}}); err != nil {
				t.Fatal(err)
			}
			create(t, w.newSchema())
			create(t, w.newDeployment(newRelease, 1))
			w.awaitReason(metav1.ConditionFalse, tc.reason)
			w.secret(map[string]string{"DATABASE_URL": w.url})
			w.awaitApplied(needs[newRelease])
			w.awaitRelease(newRelease, 1)
		})
	}
}
