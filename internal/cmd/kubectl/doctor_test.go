package kubectl

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
)

// operatorWith is the operator's Deployment, with arguments.
func operatorWith(args ...string) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Args: append([]string{"manager"}, args...)}}
	return d
}

// withoutMutating are the arguments that config/without-mutating adds.
func withoutMutating(t *testing.T) []string {
	t.Helper()
	var kustomization struct{ Patches []struct{ Patch string } }
	if err := yaml.Unmarshal([]byte(readFile(t, "config", "without-mutating", "kustomization.yaml")), &kustomization); err != nil {
		t.Fatal(err)
	}
	var operations []struct{ Value string }
	if err := yaml.Unmarshal([]byte(kustomization.Patches[len(kustomization.Patches)-1].Patch), &operations); err != nil {
		t.Fatal(err)
	}
	return []string{operations[0].Value}
}

// TestDoctorWithoutMutating: what an operator is told to do without is no error.
func TestDoctorWithoutMutating(t *testing.T) {
	t.Parallel()
	optional := withoutMutating(t)
	for name, tc := range map[string]struct {
		operator *appsv1.Deployment
		version  severity
		missing  int // how many policies and bindings are errors
		gate     bool
	}{
		"as documented": {operatorWith(optional...), severityWarning, 8, true},
		"in two words":  {operatorWith("--admission-policies", "Optional"), severityWarning, 8, true},
		"last":          {operatorWith("--admission-policies=Required", "--admission-policies=Optional"), severityWarning, 8, true},
		"not last":      {operatorWith("--admission-policies=Optional", "--admission-policies=Required"), severityError, 12, false},
		"required":      {operatorWith(), severityError, 12, false},
		"no operator":   {nil, severityError, 12, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, api := newTestSession(), &stub{}
			s.client = api
			e := &examination{session: s, deployment: tc.operator}
			if err := e.examineVersion(&version.Info{Major: "1", Minor: "35+", GitVersion: "v1.35.1"}); err != nil {
				t.Fatal(err)
			}
			if len(e.findings) != 1 || e.findings[0].Severity != tc.version {
				t.Errorf("the version is %+v", e.findings)
			}
			e.findings = nil
			if err := checkPolicies(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			for _, f := range e.findings {
				if mutates := strings.HasPrefix(f.Object, "Mutating"); f.Severity == severityWarning && !mutates {
					t.Errorf("it is only a warning that there is no %s", f.Object)
				}
			}
			if r := report(e.findings); r.Errors != tc.missing || r.Errors+r.Warnings != 12 {
				t.Errorf("without policies there are %d errors and %d warnings, want %d errors of 12", r.Errors, r.Warnings, tc.missing)
			}
			// The pod that shows whether policies act is one as such a cluster has it.
			if err := checkPoliciesAct(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			pod, ok := api.created[0].(*corev1.Pod)
			if !ok || schedgate.Has(pod) != tc.gate {
				t.Errorf("the pod that is tried has the gate: %t, want %t", !tc.gate, tc.gate)
			}
		})
	}
}

// TestDoctorOfSeveralOperators: what another operator may see to is no error.
func TestDoctorOfSeveralOperators(t *testing.T) {
	t.Parallel()
	s := newTestSession()
	e := &examination{session: s, deployment: operatorWith("--namespaces", "a,b", "--namespaces=c")}
	if diff := cmp.Diff([]string{"a", "b", "c"}, e.watched()); diff != "" {
		t.Error(diff)
	}
	v := newView(t)
	v.schema.CreationTimestamp = ago(time.Hour)
	e.schemas = []v1alpha1.DatabaseSchema{*v.schema}
	e.examineSchema(v.schema)
	waiting := pod("new", "open-webui:0.11.0", true)
	e.examinePod(&waiting)
	if len(e.findings) != 2 {
		t.Fatalf("the findings are %+v", e.findings)
	}
	for _, f := range e.findings {
		if f.Severity != severityWarning || !strings.Contains(f.Message, "another one may") {
			t.Errorf("the finding is %+v", f)
		}
	}
}
