package prometheus_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// TestComponent builds what the component adds to the operator, and reads it as
// the Prometheus operator does.
func TestComponent(t *testing.T) {
	t.Parallel()
	objects := build(t)
	var rule monitoringv1.PrometheusRule
	decode(t, objects["PrometheusRule/schemagate"], &rule)
	var want struct {
		Groups []monitoringv1.RuleGroup `json:"groups"`
	}
	decode(t, read(t, component, "rules.yaml"), &want)
	if diff := cmp.Diff(want.Groups, rule.Spec.Groups); diff != "" || len(want.Groups) == 0 {
		t.Errorf("the alerts of the component are not those of rules.yaml: make generate (-rules +component):\n%s", diff)
	}

	var monitor monitoringv1.ServiceMonitor
	decode(t, objects["ServiceMonitor/schemagate"], &monitor)
	var service struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
		Spec struct {
			Selector map[string]string `json:"selector"`
			Ports    []struct {
				Name       string `json:"name"`
				TargetPort string `json:"targetPort"`
			} `json:"ports"`
		} `json:"spec"`
	}
	decodeLoosely(t, objects["Service/schemagate-metrics"], &service)
	if diff := cmp.Diff(monitor.Spec.Selector.MatchLabels, service.Metadata.Labels); diff != "" {
		t.Errorf("the ServiceMonitor does not select the Service:\n%s", diff)
	}
	endpoint := monitor.Spec.Endpoints[0]
	if len(service.Spec.Ports) != 1 || endpoint.Port != service.Spec.Ports[0].Name || !endpoint.HonorLabels {
		t.Errorf("the endpoint is %+v", endpoint)
	}
	var deployment struct {
		Spec struct {
			Template struct {
				Metadata struct {
					Labels map[string]string `json:"labels"`
				} `json:"metadata"`
				Spec struct {
					Containers []struct {
						Ports []struct {
							Name string `json:"name"`
						} `json:"ports"`
					} `json:"containers"`
				} `json:"spec"`
			} `json:"template"`
		} `json:"spec"`
	}
	decodeLoosely(t, objects["Deployment/schemagate"], &deployment)
	pod := deployment.Spec.Template
	if diff := cmp.Diff(service.Spec.Selector, pod.Metadata.Labels); diff != "" {
		t.Errorf("the Service does not select the operator:\n%s", diff)
	}
	if pod.Spec.Containers[0].Ports[0].Name != service.Spec.Ports[0].TargetPort {
		t.Errorf("the operator has no port %s", service.Spec.Ports[0].TargetPort)
	}

	var configMap struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
		Data map[string]string `json:"data"`
	}
	decodeLoosely(t, objects["ConfigMap/schemagate-dashboard"], &configMap)
	if configMap.Data["schemagate.json"] != read(t, component, "dashboard.json") || configMap.Metadata.Labels["grafana_dashboard"] != "1" {
		t.Error("the ConfigMap does not hold the dashboard, or not for Grafana's sidecar")
	}
}

// build returns the manifests of the operator and of the component by kind and
// name.
func build(t *testing.T) map[string]string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs(filepath.Join(root, "config"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Rel(dir, absolute)
	if err != nil {
		t.Fatal(err)
	}
	kustomization := "resources: [" + config + "/manager]\ncomponents: [" + config + "/components/prometheus]\n"
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(root, "hack", "tool"), "kustomize", "build", dir)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	manifests, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	out := map[string]string{}
	for document := range strings.SplitSeq(string(manifests), "\n---\n") {
		var object struct {
			Kind     string `json:"kind"`
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		decodeLoosely(t, document, &object)
		out[object.Kind+"/"+object.Metadata.Name] = document
	}
	return out
}

// decode fails for a field that there is not.
func decode(t *testing.T, document string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(document), into); err != nil || document == "" {
		t.Fatalf("%v in:\n%s", err, document)
	}
}

func decodeLoosely(t *testing.T, document string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(document), into); err != nil || document == "" {
		t.Fatalf("%v in:\n%s", err, document)
	}
}
