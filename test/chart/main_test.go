// Package chart_test tests the Helm charts without a cluster: what they render,
// what they refuse, and that they say what config/ says. Package release installs
// them.
package chart_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	strictyaml "sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

const (
	current = "v1.37.2"
	old     = "v1.35.0" // without MutatingAdmissionPolicy
)

// verify is the program of hack/verify, which checks manifests.
var verify string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	directory, err := os.MkdirTemp("", "chart-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(directory) }()
	verify = filepath.Join(directory, "verify")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", verify, ".")
	build.Dir = filepath.Join(apiserver.RepositoryRoot(), "hack", "verify")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building hack/verify: %v\n%s", err, output)
		return 1
	}
	return m.Run()
}

// render renders the chart and checks every object of it.
func render(t *testing.T, kubernetes string, values ...string) (manifest, notes string) {
	t.Helper()
	release, err := helm.Render(helm.Load(t, helm.Dir("schemagate")), kubernetes, helm.Values(t, values...))
	if err != nil {
		t.Fatal(err)
	}
	check(t, release.Manifest)
	return release.Manifest, release.Info.Notes
}

// check has the manifests validated as an API server would, and those of the
// Prometheus operator decoded strictly into its own types.
func check(t *testing.T, manifest string) {
	t.Helper()
	var input bytes.Buffer
	for _, object := range objects(t, manifest) {
		document, err := strictyaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		var into any
		switch object.GetKind() {
		case monitoringv1.ServiceMonitorsKind:
			into = &monitoringv1.ServiceMonitor{}
		case monitoringv1.PrometheusRuleKind:
			into = &monitoringv1.PrometheusRule{}
		default:
			input.WriteString("---\n")
			input.Write(document)
			continue
		}
		if err := strictyaml.UnmarshalStrict(document, into); err != nil {
			t.Errorf("%s: %v", object.GetKind(), err)
		}
	}
	command := exec.CommandContext(t.Context(), verify, "-crd", filepath.Join(apiserver.RepositoryRoot(), "config", "crd"))
	command.Stdin = &input
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

// objects parses manifests.
func objects(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v:\n%s", err, manifest)
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

// find returns an object by kind and name, and fails the test without one.
func find(t *testing.T, all []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, object := range all {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}
