package chart_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

// TestEverySwitch renders the chart with each switch of values.yaml on and off,
// those that a later version brings included: both are valid, and differ.
func TestEverySwitch(t *testing.T) {
	t.Parallel()
	var defaults map[string]any
	if err := yaml.Unmarshal([]byte(chartFile(t, "values.yaml")), &defaults); err != nil {
		t.Fatal(err)
	}
	switches := 0
	for path, value := range leaves("", defaults) {
		on, ok := value.(bool)
		if !ok {
			continue
		}
		switches++
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			asItIs, _ := render(t, current)
			changed, err := yaml.Marshal(set(path, !on))
			if err != nil {
				t.Fatal(err)
			}
			otherwise, _ := render(t, current, string(changed))
			if asItIs == otherwise {
				t.Errorf("%s changes nothing", path)
			}
		})
	}
	if switches < 15 {
		t.Errorf("only %d switches were found", switches)
	}
}

// leaves lists the values that are no maps, by their paths.
func leaves(path string, values map[string]any) map[string]any {
	all := map[string]any{}
	for key, value := range values {
		at := strings.TrimPrefix(path+"."+key, ".")
		if below, ok := value.(map[string]any); ok && len(below) > 0 {
			maps.Copy(all, leaves(at, below))
			continue
		}
		all[at] = value
	}
	return all
}

// set returns values with one of them.
func set(path string, value any) map[string]any {
	key, rest, more := strings.Cut(path, ".")
	if more {
		return map[string]any{key: set(rest, value)}
	}
	return map[string]any{key: value}
}

// cases are values with what must then be in the manifests, and what must not.
// Line breaks and the spaces that begin a line do not count.
var cases = map[string]struct {
	kubernetes, values string
	has, hasNot        []string
}{
	"defaults": {
		has: []string{
			"image: \"ghcr.io/schemagate/schemagate:v0.1.0\"", "replicas: 2", "helm.sh/resource-policy: keep",
			"maxUnavailable: 1", "topologyKey: kubernetes.io/hostname", "- --metrics-bind-address=:8443",
			"name: schemagate-gate-add", "name: schemagate-gate-keep", "aggregate-to-view: \"true\"", "name: schemagate-gatekeeper", "name: schemagate-doctor",
		},
		hasNot: []string{"--namespaces", "--admission-policies", "kind: NetworkPolicy", "kind: ServiceMonitor", "kind: PrometheusRule", "imagePullSecrets", "priorityClassName"},
	},
	"before Kubernetes 1.36": {
		kubernetes: old, values: "admissionPolicies: {mutating: false}",
		has:    []string{"- --admission-policies=Optional", "kind: ValidatingAdmissionPolicy"},
		hasNot: []string{"kind: MutatingAdmissionPolicy"},
	},
	"no policies": {values: "admissionPolicies: {enabled: false}", hasNot: []string{"kind: ValidatingAdmissionPolicy", "kind: MutatingAdmissionPolicy", "--admission-policies"}},
	"some namespaces": {
		values: "watchNamespaces: [chat, team-b]",
		has: []string{
			"- --namespaces=chat,team-b", "kind: Role metadata: name: schemagate-manager namespace: \"chat\"",
			"kind: RoleBinding metadata: name: schemagate-manager namespace: \"team-b\"", "kind: ClusterRole metadata: name: schemagate-cluster-facts",
		},
		hasNot: []string{"kind: ClusterRole metadata: name: schemagate-manager"},
	},
	"image by digest": {
		values: "image: {registry: example.com, repository: a/b, tag: x, digest: 'sha256:" + strings.Repeat("ab", 32) + "', pullPolicy: Always}",
		has:    []string{"image: \"example.com/a/b@sha256:" + strings.Repeat("ab", 32) + "\"", "imagePullPolicy: Always"},
		hasNot: []string{":x"},
	},
	"image without a registry": {values: "image: {registry: '', repository: schemagate, tag: dev}", has: []string{"image: \"schemagate:dev\""}},
	"how it runs": {
		values: `
replicas: 3
imagePullSecrets: [{name: pull}]
migrationImage: example.com/migrate:1
clusterID: "blue cluster"
leaderElection: {leaseDuration: 15s, renewDeadline: 10s, retryPeriod: 2s}
log: {format: text, level: debug}
extraArgs: [--admission-policies-interval=1m]
extraEnv: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
annotations: {a: b}
podAnnotations: {c: d}
podLabels: {e: f}
commonLabels: {team: platform}
resources: {limits: {memory: 128Mi}}
podSecurityContext: {fsGroup: 1}
securityContext: {runAsUser: 65532}
priorityClassName: system-cluster-critical
terminationGracePeriodSeconds: 7
nodeSelector: {disk: ssd}
tolerations: [{key: infra, operator: Exists}]
topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}]
podDisruptionBudget: {maxUnavailable: 50%}
`,
		has: []string{
			"replicas: 3", "imagePullSecrets: - name: pull", "- \"--migration-image=example.com/migrate:1\"", "- \"--cluster-id=blue cluster\"",
			"- --leader-elect-lease-duration=15s - --leader-elect-renew-deadline=10s - --leader-elect-retry-period=2s",
			"- --log-format=text - --log-level=debug - \"--admission-policies-interval=1m\"", "- name: HTTPS_PROXY value: http://proxy:3128",
			"annotations: a: b", "c: d", "e: f", "team: platform", "memory: 128Mi", "fsGroup: 1", "runAsUser: 65532",
			"priorityClassName: \"system-cluster-critical\"", "terminationGracePeriodSeconds: 7", "nodeSelector: disk: ssd", "key: infra",
			"- labelSelector: matchLabels: app.kubernetes.io/instance: schemagate app.kubernetes.io/name: schemagate maxSkew: 1", "maxUnavailable: 50%",
			"cpu: 10m", // values are merged
		},
	},
	"affinity of one's own": {
		values: "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}",
		has:    []string{"nodeAffinity:"}, hasNot: []string{"podAntiAffinity"},
	},
	"spread with a selector of one's own": {
		values: "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {color: blue}}}]",
		has:    []string{"color: blue"},
	},
	"names": {
		values: "fullnameOverride: gate\nnameOverride: sg",
		has:    []string{"kind: Deployment metadata: name: \"gate\"", "app.kubernetes.io/name: \"sg\"", "name: gate-leader-election", "name: schemagate-gate-add"},
		hasNot: []string{"name: schemagate-manager"},
	},
	"account of one's own": {
		values: "serviceAccount: {create: false, name: robot, annotations: {color: blue}}", has: []string{"serviceAccountName: \"robot\"", "- kind: ServiceAccount name: \"robot\" namespace: \"schemagate-system\""},
		hasNot: []string{"apiVersion: v1 kind: ServiceAccount", "color: blue"},
	},
	"account with annotations": {values: "serviceAccount: {name: robot, annotations: {color: blue}}", has: []string{"kind: ServiceAccount metadata: name: \"robot\"", "color: blue"}},
	"default account":          {values: "serviceAccount: {create: false}", has: []string{"serviceAccountName: \"default\""}},
	"no roles":                 {values: "rbac: {create: false}", hasNot: []string{"rbac.authorization.k8s.io/v1"}},
	"no metrics": {
		values: "metrics: {enabled: false}", has: []string{"- --metrics-bind-address=0"},
		hasNot: []string{"kind: Service metadata", "metrics-auth", "metrics-reader", "containerPort: 8443"},
	},
	"metrics": {
		values: `
metrics:
  port: 9443
  readers: [{kind: ServiceAccount, name: prometheus, namespace: monitoring}]
  service: {annotations: {color: blue}}
  serviceMonitor: {enabled: true, labels: {release: prometheus}, interval: 30s, scrapeTimeout: 10s, metricRelabelings: [{action: labeldrop, regex: pod}]}
  prometheusRule: {labels: {release: prometheus}}
`,
		has: []string{
			"port: 9443", "- --metrics-bind-address=:9443", "containerPort: 9443", "color: blue", "kind: ServiceMonitor", "release: prometheus", "interval: 30s",
			"scrapeTimeout: 10s", "action: labeldrop", "- kind: ServiceAccount name: prometheus namespace: monitoring", "honorLabels: true",
		},
	},
	"alerts of one of several operators": {
		values: "watchNamespaces: [chat, team-b]\nmetrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}",
		has: []string{
			`absent(leader_election_master_status{namespace="schemagate-system", name="schemagate-leader.schemagate.dev"} == 1)`,
			`kube_pod_status_scheduled{namespace=~"chat|team-b", condition="false"}`, `(schemagate_databaseschema_waiting_pods{namespace=~"chat|team-b"})[6h:1m]`,
		},
		hasNot: []string{`master_status{name=`, `scheduled{condition`, `waiting_pods)`},
	},
	// Who knows what else scrapes the operator, and which labels it adds.
	"alerts without a ServiceMonitor": {
		values: "watchNamespaces: [chat]\nmetrics: {prometheusRule: {enabled: true}}",
		has:    []string{`absent(leader_election_master_status{name="schemagate-leader.schemagate.dev"} == 1)`},
		hasNot: []string{`{namespace=`},
	},
	"network": {
		values: `
networkPolicy:
  enabled: true
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  apiServerPorts: [6443]
  apiServerTo: [{ipBlock: {cidr: 10.0.0.1/32}}]
  extraEgress: [{ports: [{port: 4317}]}]
`,
		has:    []string{"kubernetes.io/metadata.name: monitoring", "- port: 6443", "cidr: 10.0.0.1/32", "- port: 4317"},
		hasNot: []string{"- port: 443 "},
	},
	"resource not kept": {values: "crds: {keep: false}", has: []string{"kind: CustomResourceDefinition"}, hasNot: []string{"helm.sh/resource-policy"}},
}

// TestNumbersAsNames: what YAML would take for a number, a truth value or nothing is
// a name all the same.
func TestNumbersAsNames(t *testing.T) {
	t.Parallel()
	const more = `
priorityClassName: "7"
networkPolicy: {enabled: true}
metrics:
  readers: [{kind: ServiceAccount, name: "8", namespace: "9"}]
  serviceMonitor: {enabled: true}
  prometheusRule: {enabled: true}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
`
	for name, tc := range map[string]struct{ release, namespace, values string }{
		"numbers":              {"123", "2024", "{fullnameOverride: '123', nameOverride: '123', watchNamespaces: ['2024', '0x1f'], serviceAccount: {name: '456'}}"},
		"powers of ten":        {"1e3", "2e6", "{nameOverride: '1e3', watchNamespaces: ['1e3']}"},
		"truth values":         {"true", "on", "{fullnameOverride: 'yes', nameOverride: 'y', watchNamespaces: ['off', 'no']}"},
		"nothing":              {"null", "null", "{nameOverride: 'null', watchNamespaces: ['null']}"},
		"days":                 {"2024-01-01", "2024-01-02", "{nameOverride: '2024-01-01', watchNamespaces: ['2024-01-02']}"},
		"account of one's own": {"1", "2", "{serviceAccount: {create: false, name: '3'}}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release, err := helm.RenderAs(helm.Load(t, helm.Dir("schemagate")), tc.release, tc.namespace, current, helm.Values(t, more, tc.values))
			if err != nil {
				t.Fatal(err)
			}
			check(t, release.Manifest)
			for _, object := range objects(t, release.Manifest) {
				if object.GetKind() != "CustomResourceDefinition" {
					stringsOnly(t, object.GetKind(), object.Object)
				}
			}
		})
	}
}

// stringsOnly fails for names, namespaces and labels that are no strings.
func stringsOnly(t *testing.T, path string, value any) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for key, below := range value {
			switch key {
			case "name", "namespace", "serviceAccountName", "priorityClassName":
				if _, ok := below.(string); !ok {
					t.Errorf("%s/%s is %v, a %T", path, key, below, below)
				}
			case "labels", "matchLabels":
				labels, _ := below.(map[string]any)
				for label, is := range labels {
					if _, ok := is.(string); !ok {
						t.Errorf("%s/%s/%s is %v, a %T", path, key, label, is, is)
					}
				}
			}
			stringsOnly(t, path+"/"+key, below)
		}
	case []any:
		for _, below := range value {
			stringsOnly(t, path, below)
		}
	}
}

func TestCases(t *testing.T) {
	t.Parallel()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kubernetes := current
			if tc.kubernetes != "" {
				kubernetes = tc.kubernetes
			}
			manifest, _ := render(t, kubernetes, tc.values)
			text := squeezed(manifest)
			// The resource definition speaks of everything.
			others, definition := "", "kind: CustomResourceDefinition"
			for document := range strings.SplitSeq(manifest, "\n---\n") {
				if !strings.Contains(document, definition) {
					others += " " + squeezed(document)
				}
			}
			for _, part := range tc.has {
				if !strings.Contains(text, part) {
					t.Errorf("it lacks %q", part)
				}
			}
			for _, part := range tc.hasNot {
				if strings.Contains(others, part) {
					t.Errorf("it has %q", part)
				}
			}
		})
	}
}

// squeezed makes one line of a text, without what Helm says of its source.
func squeezed(manifest string) string {
	var words []string
	for line := range strings.Lines(manifest) {
		if !strings.HasPrefix(line, "# Source:") {
			words = append(words, strings.Fields(line)...)
		}
	}
	return strings.Join(words, " ")
}

// TestCasesSetEveryValue: what is neither a switch nor set by a case is not tested.
func TestCasesSetEveryValue(t *testing.T) {
	t.Parallel()
	var defaults map[string]any
	if err := yaml.Unmarshal([]byte(chartFile(t, "values.yaml")), &defaults); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, tc := range cases {
		all = loader.MergeMaps(all, helm.Values(t, tc.values))
	}
	for path, value := range leaves("", defaults) {
		if _, ok := value.(bool); ok {
			continue // TestEverySwitch
		}
		if !has(all, strings.Split(path, ".")) {
			t.Errorf("no case sets %s", path)
		}
	}
}

// has says whether values hold something at a path, or at the map it is in, as
// resources do.
func has(values map[string]any, path []string) bool {
	value, ok := values[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	below, ok := value.(map[string]any)
	return ok && (has(below, path[1:]) || slices.Contains([]string{"requests", "runAsNonRoot", "seccompProfile", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"}, path[1]))
}

// TestNotes: the notes tell the next step, and what this release lacks.
func TestNotes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kubernetes, values string
		has, hasNot        []string
	}{
		"defaults": {
			has:    []string{"schemagate.dev/schema: open-webui", "kind: DatabaseSchema", "all namespaces", "kubectl get databaseschemas"},
			hasNot: []string{"schedulingGates", "uninstalling", "not part of this release"},
		},
		"without mutating policies": {kubernetes: old, values: "admissionPolicies: {mutating: false}", has: []string{"schedulingGates", "ENABLE_DB_MIGRATIONS=false"}},
		"without policies":          {values: "admissionPolicies: {enabled: false}", has: []string{"not part of this release"}},
		"some namespaces":           {values: "watchNamespaces: [chat, b]", has: []string{"the namespaces chat, b."}},
		"resource that is not kept": {values: "crds: {keep: false}", has: []string{"deletes every DatabaseSchema"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kubernetes := current
			if tc.kubernetes != "" {
				kubernetes = tc.kubernetes
			}
			_, notes := render(t, kubernetes, tc.values)
			for _, part := range tc.has {
				if !strings.Contains(notes, part) {
					t.Errorf("they lack %q:\n%s", part, notes)
				}
			}
			for _, part := range tc.hasNot {
				if strings.Contains(notes, part) {
					t.Errorf("they have %q:\n%s", part, notes)
				}
			}
			// The resource that they show is one that can be applied.
			_, rest, _ := strings.Cut(notes, "<<EOF\n")
			resource, _, found := strings.Cut(rest, "EOF")
			if !found {
				t.Fatalf("there is no resource to apply:\n%s", notes)
			}
			check(t, resource)
		})
	}
}
