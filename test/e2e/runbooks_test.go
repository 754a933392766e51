package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/pages"
)

// runbooksNamespace is where the runbooks have the application.
const runbooksNamespace = "chat"

// lookTimeout is for one block of a runbook, all of which look and end.
const lookTimeout = time.Minute

// shell returns a directory to run blocks in, and what they find there: our program,
// kubectl, and the variables that the pages speak of.
func (w *world) shell() (directory string, env []string) {
	w.t.Helper()
	directory = w.t.TempDir()
	programs := filepath.Join(directory, "bin")
	run := func(in, name string, args ...string) string {
		command := exec.CommandContext(w.t.Context(), name, args...)
		command.Dir = in
		output, err := command.Output()
		if err != nil {
			w.t.Fatalf("%s %v: %v", name, args, err)
		}
		return strings.TrimSpace(string(output))
	}
	root := apiserver.RepositoryRoot()
	run(root, "go", "build", "-o", filepath.Join(programs, "schemagate"), ".")
	node := run(filepath.Join(root, "hack", "cluster"), "go", "run", ".", "build")
	if err := os.Symlink(filepath.Join(node, "kubectl"), filepath.Join(programs, "kubectl")); err != nil {
		w.t.Fatal(err)
	}
	run(directory, filepath.Join(programs, "schemagate"), "migrate", "--database-url=sqlite:///webui.db", "--to=20")
	env = append(os.Environ(),
		"PATH="+programs+":"+os.Getenv("PATH"), "DATABASE_URL="+w.url,
		"COPY_URL="+at(w.t, w.server.NewDatabase(w.t), os.Getenv(hostAddressEnv)))
	return directory, env
}

// TestRunbooks: every block of the runbooks can be run as it stands, on an
// installation that has gone through a drain with a backup. It is in a namespace with
// a fixed name.
func TestRunbooks(t *testing.T) {
	ownNode(t)
	t.Parallel()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: runbooksNamespace}}
	create(t, namespace)
	t.Cleanup(func() {
		if err := admin.Delete(context.WithoutCancel(t.Context()), namespace); err != nil {
			t.Error(err)
		}
	})
	watchNamespace(t, runbooksNamespace)
	w := newWorldIn(t, runbooksNamespace)
	create(t, &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "backup"},
		Spec: batchv1.CronJobSpec{Schedule: "0 0 1 1 *", Suspend: new(true), JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "backup", Image: image, ImagePullPolicy: corev1.PullNever, Args: []string{"version"}}},
			}},
		}}},
	})
	schema := w.newSchema()
	schema.Spec.Rollout.Before.CronJob = "backup"
	create(t, schema)
	create(t, w.newDeployment(newRelease, 1))
	w.awaitRelease(newRelease, 1)
	w.release(fencingRelease)
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 1)

	directory, env := w.shell()
	found := pages.All(t)["docs/runbooks/README.md"].Shell()
	if len(found) < 60 {
		t.Fatalf("only %d blocks were found", len(found))
	}
	for _, b := range found {
		t.Run(fmt.Sprintf("line %d", b.Line), func(t *testing.T) { //nolint:paralleltest // what they look at ends with the test above
			ctx, cancel := context.WithTimeout(t.Context(), lookTimeout)
			defer cancel()
			command := exec.CommandContext(ctx, "bash", "-e", "-u", "-o", "pipefail", "-c", b.Text)
			command.Dir, command.Env = directory, env
			if output, err := command.CombinedOutput(); err != nil || len(output) == 0 {
				t.Errorf("%v\n%s\n%s", err, b.Text, output)
			}
		})
	}
}
