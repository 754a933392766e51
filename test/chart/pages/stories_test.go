package pages_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// Where the pages have the application, its database and its pods.
const (
	chat    = "chat"
	example = "postgresql://webui:change-me@db.example.com:5432/webui" //nolint:gosec // the page's example
	// newRelease is that of the manifests of the pages.
	newRelease = "v0.10.2"
	// migratesNothing replaces "env:" in a container whose pods are to start without
	// the label: the stand-in does not migrate, and says so to whoever asks it to.
	migratesNothing = "        env:\n        - {name: ENABLE_DB_MIGRATIONS, value: 'false'}\n"
)

// await waits until something is so that kubectl can wait for.
func (r *reader) await(what string) {
	r.Helper()
	r.do("kubectl wait --timeout=2m " + what)
}

// install does what the quick start says, with a release.
func (r *reader) install(url, release string) {
	r.Helper()
	from := read(r.T, "docs/quick-start.md", example, url, newRelease, release)
	r.do("kubectl create namespace " + chat)
	r.apply(from.yaml("kind: Secret"))
	r.apply(from.yaml("kind: Deployment"))
	r.do("kubectl rollout status deployment/open-webui --timeout=2m")
	r.await("dbs/open-webui --for=condition=Ready")
}

// waits creates a pod of a name that waits at its gate for ever.
func (r *reader) waits(name string) {
	r.Helper()
	r.apply(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {schemagate.dev/schema: not-there}}
spec:
  containers: [{name: open-webui, image: "open-webui:v0.9.6"}]
`, name))
	r.gated(name, true)
}

func (r *reader) gated(pod string, want bool) {
	r.Helper()
	if gates := r.do("kubectl get pod " + pod + " --output=jsonpath='{.spec.schedulingGates[*].name}'"); (gates != "") != want {
		r.Errorf("the gates of %s are %q", pod, gates)
	}
}

func plain(r *reader) {
	url := database(r.T)
	r.replace = strings.NewReplacer(example, url, "ghcr.io/open-webui/open-webui:", "open-webui:")
	// Helm takes over nothing that a failed test has left.
	r.Cleanup(func() { r.do("kubectl delete --ignore-not-found -k config/default") })
	r.run("kubectl apply --server-side -k config/default")
	r.do("kubectl kustomize config/default >install.yaml") // a release has this file, with the image's digest
	r.run("kubectl apply --server-side -f install.yaml")
	for _, path := range []string{
		"docs/guides/kustomize.md", "docs/guides/kubectl.md", "docs/quick-start.md", "docs/guides/adopting.md", "docs/admission.md",
		"docs/operations.md", "docs/guides/backups.md", "docs/guides/flux.md", "docs/guides/monitoring.md", "docs/guides/argo-cd.md",
		"docs/reference/events.md",
	} {
		follow(r.T, path)
	}

	r.in(chat)
	r.save("open-webui.yaml", strings.ReplaceAll(r.yaml("kind: Deployment"), "        env:\n", migratesNothing))
	r.see("kubectl apply -f open-webui.yaml", "databaseschema.schemagate.dev/open-webui")
	r.see("kubectl -n chat patch deployment open-webui", "no change")
	r.see("kubectl -n chat get dbs open-webui --watch", "Name:")
	r.see("kubectl -n chat rollout status deployment/open-webui --timeout=60m", "condition met")
	r.run("kubectl -n chat set image")
	r.do("kubectl rollout status deployment/open-webui --timeout=3m")

	r.run("kubectl -n chat rollout undo")
	r.see("kubectl -n chat wait dbs/open-webui --for=condition=Stalled", "condition met")
	if reason := r.do(`kubectl get dbs open-webui --output=jsonpath='{.status.conditions[?(@.type=="Stalled")].reason}'`); reason != "DowngradeRequired" {
		r.Errorf("the reason is %q", reason)
	}
	r.see("kubectl -n chat get dbs open-webui --output=jsonpath='{.status.serves}'", "76")
	r.run("kubectl -n chat patch dbs open-webui --type=merge --patch='{\"spec\": {\"policy\"")
	r.see("kubectl -n chat wait dbs/open-webui --for=condition=ApprovalRequired", "Drops chat.timer_at")
	r.run("kubectl -n chat annotate dbs open-webui --overwrite \\\n  schemagate.dev/approve")
	r.do("kubectl rollout status deployment/open-webui --timeout=3m")
	r.await("dbs/open-webui --for=condition=Ready")
	r.run("kubectl -n chat annotate dbs open-webui --overwrite schemagate.dev/retry")

	r.run("kubectl -n chat patch dbs open-webui --type=merge --patch='{\"spec\": {\"gate\"")
	r.await("dbs/open-webui --for=jsonpath='{.status.gate.state}'=Open")
	r.see("kubectl -n chat patch deployment open-webui", `"databaseschemas.schemagate.dev" deleted`)
	if left := r.do("kubectl api-resources --api-group=schemagate.dev --output=name"); left != "" {
		r.Errorf("left is %s", left)
	}
}

func kustomize(r *reader) { r.see("kubectl apply", "deployment.apps/schemagate") }

func plugin(r *reader) {
	r.run("go build -o bin/schemagate .")
	r.run("ln -sf")
	if words := r.do("kubectl-schemagate __complete sta"); !strings.Contains(words, "status") {
		r.Errorf("the words are %s", words)
	}
	if words := r.do("kubectl_complete-schemagate sta"); !strings.Contains(words, "status") {
		r.Errorf("the words by the second program are %s", words)
	}

	url := database(r.T)
	r.in(chat)
	r.install(url, "v0.9.6")
	r.do("kubectl set image deployment/open-webui open-webui=open-webui:v0.11.1")
	r.await("dbs/open-webui --for=condition=ApprovalRequired")
	r.answer("kubectl schemagate approve open-webui", "y")
	r.see("kubectl schemagate watch open-webui --timeout 30m", "applied revision 76")
	r.do("kubectl rollout status deployment/open-webui --timeout=2m")
	r.run("kubectl schemagate doctor -A")

	const pod = "open-webui-64bd8c7f5b-6xw2p"
	r.waits(pod)
	r.answer("kubectl create rolebinding gatekeeper", "y")
	r.gated(pod, false)
}

func quickStart(r *reader) {
	url := database(r.T)
	r.replace = strings.NewReplacer(example, url, "ghcr.io/open-webui/open-webui:", "open-webui:")
	r.run("kubectl apply --server-side -k config/default")
	r.in(chat)
	r.do("kubectl create namespace chat")
	r.apply(r.yaml("kind: Secret"))
	r.await("dbs/open-webui --for=jsonpath='{.status.conditions}'")
	r.see("kubectl get dbs -n chat\n", "NoWorkload")
	r.apply(r.yaml("kind: Deployment"))
	r.see("kubectl get dbs -n chat --watch", "condition met")
	r.do("kubectl rollout status deployment/open-webui --timeout=2m")
}

func adopt(r *reader) {
	url := database(r.T)
	r.extra = append(r.extra, "DATABASE_URL="+url)
	r.in(chat)
	// What the application leaves, without a row of ours.
	r.do("schemagate migrate --to=0.9.6")
	r.do(`psql "$DATABASE_URL" --command='DROP TABLE schema_migrations, schemagate_history, schemagate_owner'`)
	r.do("kubectl create namespace chat")
	from := read(r.T, "docs/quick-start.md", example, url, newRelease, "v0.9.6",
		"        schemagate.dev/schema: open-webui\n", "",
		"        env:\n", migratesNothing)
	secret, _, _ := strings.Cut(from.yaml("kind: Secret"), "---")
	r.apply(secret)
	r.apply(from.yaml("kind: Deployment"))
	r.do("kubectl rollout status deployment/open-webui --timeout=2m")

	r.run("pg_dump")
	r.do("test -s webui.dump")
	r.see("schemagate plan", "62")
	r.apply(r.yaml("kind: DatabaseSchema"))
	r.see("kubectl wait", "62 ")
	r.do(`kubectl patch deployment open-webui --type=merge --patch='{"spec": {"template": {"metadata": {"labels": {"schemagate.dev/schema": "open-webui"}}}}}'`)
	r.do("kubectl rollout status deployment/open-webui --timeout=2m")
	r.see("kubectl get pods --selector='schemagate.dev/schema=open-webui'", "Running")
	r.run("kubectl patch dbs open-webui")
	r.await("dbs/open-webui --for=condition=Ready")
}

func gatekeeper(r *reader) {
	const pod = "open-webui-7d4b9c-x2x7q"
	r.in("open-webui")
	r.do("kubectl create namespace open-webui")
	r.waits(pod)
	r.run("kubectl create rolebinding gatekeeper")
	r.gated(pod, false)
}

// installed has what pages need that look at an installation.
func (r *reader) installed(release string) {
	r.Helper()
	url := database(r.T)
	r.in(chat)
	r.install(url, release)
}

func operate(r *reader) {
	r.installed("v0.9.6")
	r.run("kubectl annotate dbs open-webui schemagate.dev/retry")
	r.run("kubectl annotate dbs open-webui schemagate.dev/verify")
	r.do("kubectl set image deployment/open-webui open-webui=open-webui:v0.10.2")
	r.await("dbs/open-webui --for=condition=ApprovalRequired")
	r.run("kubectl annotate dbs open-webui --overwrite")
	r.do("kubectl rollout status deployment/open-webui --timeout=2m")
}

// lookedAt prints when the database was looked at.
const lookedAt = "kubectl get dbs open-webui --output=jsonpath={.status.verifiedTime}"

func look(r *reader) {
	r.installed(newRelease)
	r.do("sleep 1") // the times have seconds
	before := r.do(lookedAt)
	r.run("kubectl annotate")
	r.do(fmt.Sprintf("for i in {1..300}; do [ $(%s) = %s ] || exit 0; sleep 0.2; done; exit 1", lookedAt, before))
}

func list(r *reader) {
	r.installed(newRelease)
	r.see("kubectl get databaseschemas --all-namespaces", "open-webui")
}

func events(r *reader) {
	r.installed(newRelease)
	r.see("kubectl events --for databaseschema/open-webui", "Migrated")
}

func scrape(r *reader) {
	r.in("monitoring")
	r.do("kubectl create namespace monitoring && kubectl create serviceaccount prometheus-k8s")
	r.apply(r.yaml("kind: ClusterRoleBinding"))
	r.Cleanup(func() { r.do("kubectl delete clusterrolebinding schemagate-metrics-reader") })
	r.see("kubectl -n schemagate-system port-forward", "schemagate_build_info")
}

func argo(r *reader) {
	r.in("argocd")
	r.do("kubectl create namespace argocd")
	r.see("kubectl apply", "configmap/argocd-cm serverside-applied")
	r.leave("argocd app actions run", "TestArgoCD of test/e2e does it, with Argo CD")
}

func withoutCluster(r *reader) {
	r.leave("make demo", "the demonstration is run apart")
	r.leave("make test", "this is a part of it")
	r.see("helm install schemagate", "STATUS: deployed")
	defer r.do("helm uninstall schemagate --namespace schemagate-system --wait && kubectl delete customresourcedefinition databaseschemas.schemagate.dev")
	r.see("go build -o bin/schemagate .", "76")
	if at := r.do("bin/schemagate status --database-url sqlite:///webui.db"); !strings.Contains(at, "76") {
		r.Errorf("the database is at %s", at)
	}
}

func chart(r *reader) {
	r.see("helm install schemagate", "STATUS: deployed")
	follow(r.T, "docs/guides/open-webui-helm.md")
	follow(r.T, "docs/guides/several-instances.md")
	r.run("helm uninstall schemagate")
	r.see("kubectl delete customresourcedefinition", "deleted")
}

func official(r *reader) {
	url := database(r.T)
	// The official chart is not here: ours has the same values.
	repository := r.TempDir()
	r.do("helm package " + filepath.Join(apiserver.RepositoryRoot(), "test", "chart", "openwebui", "testdata", "chart") + " --destination " + repository)
	r.do("helm repo index " + repository)
	server := httptest.NewServer(http.FileServer(http.Dir(repository)))
	r.Cleanup(server.Close)
	const values = "integrations/open-webui-helm/values.yaml"
	r.save("node.yaml", "image: {repository: open-webui, pullPolicy: Never}\npersistence: {enabled: false}\n")
	r.replace = strings.NewReplacer(example, url, "https://helm.openwebui.com/", server.URL, values, values+" --values node.yaml")
	r.in(chat)

	r.run("kubectl create namespace chat")
	r.see("helm repo add open-webui", "STATUS: deployed")
	r.see("kubectl --namespace chat get pods --output=custom-columns", "0.9.6")
	r.see("helm upgrade open-webui open-webui/open-webui --namespace chat \\\n  --values "+values+" --set image.tag=v0.10.2", "STATUS: deployed")
	r.see("kubectl --namespace chat get databaseschemas open-webui", "Running")
	r.see("helm upgrade", "STATUS: deployed")
	r.see("kubectl --namespace chat wait", "condition met")

	r.do("helm rollback open-webui --namespace chat")
	r.await("dbs/open-webui --for=condition=Stalled")
	r.run("kubectl --namespace chat patch databaseschemas open-webui --type=merge \\\n  --patch='{\"spec\": {\"policy\": {\"downgrade\": \"RequireApproval\"")
	r.await("dbs/open-webui --for=condition=ApprovalRequired")
	r.see("kubectl --namespace chat describe", "ApprovalRequired")
	r.do("kubectl rollout status deployment/open-webui --timeout=3m")
	r.await("dbs/open-webui --for=condition=Ready")
	r.run("kubectl --namespace chat patch databaseschemas open-webui")
	r.do("helm uninstall open-webui --namespace chat --wait")
}

func several(r *reader) {
	r.in("team-b")
	r.do("kubectl create namespace team-b")
	r.save("values.yaml", r.yaml("watchNamespaces"))
	r.see("helm install schemagate-b", "STATUS: deployed")
	defer r.do("helm uninstall schemagate-b --namespace schemagate-b --wait && kubectl delete namespace schemagate-b")
	r.do("kubectl --namespace schemagate-b rollout status deployment/schemagate-b --timeout=2m")
	r.see("kubectl create rolebinding team-b", "yes")
	r.run("kubectl get dbs --all-namespaces")
}

func node(r *reader) {
	r.extra = append(r.extra, "CLUSTER_NAME=pages")
	r.Cleanup(func() { _, _ = r.shell("make --no-print-directory cluster-down") })
	r.see("make cluster-up", "instance pages is ready")
	r.leave("# apt-get install", "it is a comment: make cluster-up installs them")
}
