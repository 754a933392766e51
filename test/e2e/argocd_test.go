package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// argoNamespace is where the examples have Argo CD.
const argoNamespace = "argocd"

// argo is Argo CD at work on the examples: its application controller, its
// repository server with a repository of the test's own, its API server and its
// command line.
type argo struct {
	*world
	repository  string
	program     string
	server      string // address
	home        string // of the command line
	application *unstructured.Unstructured
}

// newArgo starts Argo CD with the settings of the guide, and applies the examples,
// as they are but for the repository and the namespace.
func newArgo(t *testing.T) *argo {
	t.Helper()
	directory := others(t, "argocd")
	a := &argo{world: newWorld(t), program: filepath.Join(directory, "bin", "argocd"), repository: t.TempDir(), home: t.TempDir()}
	a.git("init", "--quiet", "--initial-branch=main")
	define(t, filepath.Join(directory, "source", "manifests", "crds"))
	a.settings()
	a.start(directory)
	a.run("login", a.server, "--plaintext", "--username=admin", "--password="+argoPassword)
	return a
}

// argoPassword is that of the administrator of Argo CD.
const argoPassword = "a password for tests"

// settings are what Argo CD has to find in its namespace, with ours applied as the
// guide says.
func (a *argo) settings() {
	a.t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: argoNamespace}}
	if err := admin.Create(a.t.Context(), namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		a.t.Fatal(err)
	}
	of := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: argoNamespace, Name: name, Labels: map[string]string{"app.kubernetes.io/part-of": "argocd"}}
	}
	for _, object := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: of("argocd-cm")},
		&corev1.ConfigMap{ObjectMeta: of("argocd-rbac-cm")},
		&corev1.ConfigMap{ObjectMeta: of("argocd-ssh-known-hosts-cm")},
		&corev1.ConfigMap{ObjectMeta: of("argocd-tls-certs-cm")},
		&corev1.ConfigMap{ObjectMeta: of("argocd-gpg-keys-cm")},
		&corev1.Secret{ObjectMeta: of("argocd-secret"), StringData: map[string]string{
			"admin.password": a.run("account", "bcrypt", "--password", argoPassword), "server.secretkey": "for tests",
		}},
	} {
		create(a.t, object)
		a.t.Cleanup(func() { remove(a.t, object) })
	}
	err := kubectl(a.t.Context(), "apply", "--server-side", "--field-manager", "schemagate", "-f",
		filepath.Join(apiserver.RepositoryRoot(), "integrations", "argocd", "argocd-cm.yaml"))
	if err != nil {
		a.t.Fatal(err)
	}
}

// start runs what Argo CD consists of.
func (a *argo) start(directory string) {
	a.t.Helper()
	const loopback = "127.0.0.1"
	at := func() (address, port string) {
		listener, err := (&net.ListenConfig{}).Listen(a.t.Context(), "tcp", loopback+":0")
		if err != nil {
			a.t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		_, port, _ = net.SplitHostPort(listener.Addr().String())
		return listener.Addr().String(), port
	}
	redis, redisPort := at()
	daemon(a.t, nil, "redis-server", "--bind", loopback, "--port", redisPort, "--save", "", "--dir", a.t.TempDir())

	tools := a.tools(map[string]string{
		"kustomize":             fmt.Sprintf("%q kustomize", filepath.Join(apiserver.RepositoryRoot(), "hack", "tool")),
		"git-verify-wrapper.sh": fmt.Sprintf("sh %q", filepath.Join(directory, "source", "hack", "git-verify-wrapper.sh")),
	})
	repositories, repositoriesPort := at()
	_, metrics := at()
	daemon(a.t, []string{"ARGOCD_BINARY_NAME=argocd-repo-server", "ARGOCD_GPG_ENABLED=false", "PATH=" + tools + ":" + os.Getenv("PATH"), "TMPDIR=" + a.t.TempDir()},
		a.program, "--address="+loopback, "--port="+repositoriesPort, "--metrics-address="+loopback, "--metrics-port="+metrics, "--disable-tls", "--client-ca-path=", "--redis="+redis)

	// Out of a cluster, "this cluster" is that of the kubeconfig.
	const outside = "ARGOCD_FAKE_IN_CLUSTER=true"
	cluster := []string{"--kubeconfig=" + os.Getenv("KUBECONFIG"), "--namespace=" + argoNamespace, "--redis=" + redis, "--repo-server=" + repositories}
	_, metrics = at()
	daemon(a.t, []string{"ARGOCD_BINARY_NAME=argocd-application-controller", outside}, a.program,
		append(cluster, "--repo-server-plaintext", "--metrics-port="+metrics)...)

	var port string
	a.server, port = at()
	_, metrics = at()
	daemon(a.t, []string{"ARGOCD_BINARY_NAME=argocd-server", outside}, a.program,
		append(cluster, "--repo-server-plaintext", "--insecure", "--address="+loopback, "--port="+port, "--metrics-address="+loopback, "--metrics-port="+metrics)...)
	apiserver.Eventually(a.t, func(ctx context.Context) (bool, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.server+"/healthz", http.NoBody)
		if err != nil {
			return false, err.Error()
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err.Error()
		}
		return response.StatusCode == http.StatusOK, fmt.Sprint(response.Status, response.Body.Close())
	})
}

// tools returns a directory with the programs that Argo CD calls by their names, and
// that its image has.
func (a *argo) tools(commands map[string]string) string {
	a.t.Helper()
	directory := a.t.TempDir()
	for name, command := range commands {
		script := "#!/bin/sh\nexec " + command + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(directory, name), []byte(script), 0o700); err != nil { //nolint:gosec // it is to be run
			a.t.Fatal(err)
		}
	}
	return directory
}

// try runs the command line of Argo CD.
func (a *argo) try(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, a.program, args...)
	command.Env = append(os.Environ(), "HOME="+a.home, "ARGOCD_CONFIG_DIR="+a.home)
	output, err := command.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

func (a *argo) run(args ...string) string {
	a.t.Helper()
	output, err := a.try(a.t.Context(), args...)
	if err != nil {
		a.t.Fatalf("argocd %v: %v\n%s", args, err, output)
	}
	return output
}

func (a *argo) git(args ...string) string {
	a.t.Helper()
	command := exec.CommandContext(a.t.Context(), "git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)...)
	command.Dir = a.repository
	output, err := command.CombinedOutput()
	if err != nil {
		a.t.Fatalf("git %v: %v\n%s", args, err, output)
	}
	return strings.TrimSpace(string(output))
}

// commit has the repository hold the example with another release, with some text
// of it replaced, has Argo CD look, and returns the revision.
func (a *argo) commit(release string, replace ...string) string {
	a.t.Helper()
	files := a.examples("argocd/examples", release)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(a.repository, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			a.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.NewReplacer(replace...).Replace(files[name])), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	a.git("add", "--all")
	a.git("commit", "--quiet", "--message", release)
	if a.application == nil {
		a.apply(files)
	} else {
		a.run("app", "get", a.application.GetName(), "--refresh")
	}
	return a.git("rev-parse", "HEAD")
}

// apply creates the project and the application of the examples.
func (a *argo) apply(files map[string]string) {
	a.t.Helper()
	for _, name := range []string{"project.yaml", "application.yaml"} {
		content := strings.ReplaceAll(files["integrations/argocd/examples/"+name], "https://github.com/schemagate/schemagate", "file://"+a.repository)
		content = strings.ReplaceAll(content, "https://kubernetes.default.svc, namespace: open-webui", "https://kubernetes.default.svc, namespace: "+a.namespace)
		for _, object := range manifests(a.t, content) {
			create(a.t, object)
			a.t.Cleanup(func() { remove(a.t, object) })
			a.application = object
		}
	}
}

// await waits until the application is in a state at a revision: "Healthy" or the
// like when all of it is applied, and in a "Failed" sync when it is not.
func (a *argo) await(revision, want string) {
	a.t.Helper()
	apiserver.Eventually(a.t, func(ctx context.Context) (bool, string) {
		object := a.application.DeepCopy()
		if err := admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return false, err.Error()
		}
		field := func(path ...string) string {
			value, _, _ := unstructured.NestedString(object.Object, append([]string{"status"}, path...)...)
			return value
		}
		tried, phase, message := field("operationState", "syncResult", "revision"), field("operationState", "phase"), field("operationState", "message")
		health, sync, at := field("health", "status"), field("sync", "status"), field("sync", "revision")
		done := health == want && sync == "Synced" && phase == "Succeeded"
		if want == "Failed" {
			done = sync == "OutOfSync" && (phase == want || strings.Contains(message, "unsuccessfully"))
		}
		return done && at == revision && tried == revision,
			fmt.Sprintf("%s at %s, health %s, sync to %s %s: %s", sync, at, health, tried, phase, message)
	})
}

// awaitShown waits until what Argo CD shows of the application and its resources
// contains a text.
func (a *argo) awaitShown(text string) {
	a.t.Helper()
	apiserver.Eventually(a.t, func(ctx context.Context) (bool, string) {
		shown, err := a.try(ctx, "app", "get", "open-webui", "--output", "tree=detailed")
		return err == nil && strings.Contains(shown, text), fmt.Sprintf("without %q: %v\n%s", text, err, shown)
	})
}

// TestArgoCD: Argo CD itself installs the application of the examples, upgrades it
// across a fencing revision, says why it cannot go back, goes on, and has a way down
// approved by somebody who may do nothing else. It has its resources in a namespace
// with a fixed name.
func TestArgoCD(t *testing.T) {
	ownNode(t)
	t.Parallel()
	a := newArgo(t)
	const replicas = 3

	a.await(a.commit(newRelease), "Healthy")
	a.isAt(newRelease, replicas) // What Argo CD calls healthy is.
	a.await(a.commit(fencingRelease), "Healthy")
	a.isAt(fencingRelease, replicas)

	// There is no way back by itself, and Argo CD says what the schema does.
	a.await(a.commit(newRelease), "Degraded")
	schema := a.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonDowngradeRequired)
	ready := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionReady)
	a.awaitShown(ready.Message)
	a.await(a.commit(fencingRelease), "Healthy")
	a.isAt(fencingRelease, replicas)

	a.approve()
	a.awaitRelease(newRelease, replicas)
	a.waves(replicas)
}

// approve has a way down approved by somebody who may do nothing else.
func (a *argo) approve() {
	a.t.Helper()
	revision := a.commit(newRelease, "    bundle: open-webui\n", "    bundle: open-webui\n  policy: {downgrade: RequireApproval}\n")
	// The pods wait meanwhile, so the application is what its Deployment is.
	a.await(revision, "Progressing")
	a.awaitShown("Suspended")
	as := []string{"--auth-token=" + a.run("proj", "role", "create-token", "open-webui", "approver", "--token-only"), "--server=" + a.server, "--plaintext"}
	if output, err := a.try(a.t.Context(), append([]string{"app", "delete", "open-webui", "--yes"}, as...)...); err == nil || !strings.Contains(output, "PermissionDenied") {
		a.t.Errorf("an approver deletes the application: %v\n%s", err, output)
	}
	act := func(action string) {
		a.run(append([]string{"app", "actions", "run", "open-webui", action, "--kind", "DatabaseSchema", "--resource-name", "open-webui"}, as...)...)
	}
	act("approve")
	a.awaitApplied(needs[newRelease])
	act("verify")
	schema, err := a.schema(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	if schema.Annotations[v1alpha1.AnnotationVerify] == "" {
		a.t.Errorf("the action verify has left the annotations %v", schema.Annotations)
	}
	a.await(revision, "Healthy")
}

// waves goes on with the example that has waves: a migration that cannot be leaves
// the Deployment as it is.
func (a *argo) waves(replicas int) {
	a.t.Helper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"source": {"path": "integrations/argocd/examples/waves"}}}`))
	revision := a.commit(fencingRelease)
	if err := admin.Patch(a.t.Context(), a.application.DeepCopy(), patch); err != nil {
		a.t.Fatal(err)
	}
	a.await(revision, "Healthy")
	a.isAt(fencingRelease, replicas)

	a.await(a.commit(newRelease), "Failed")
	a.isAt(fencingRelease, replicas)
	a.await(a.commit(fencingRelease), "Healthy")
	a.isAt(fencingRelease, replicas)
}
