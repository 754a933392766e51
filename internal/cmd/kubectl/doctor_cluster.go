package kubectl

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/admission"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
)

// firstMinor is that of the first Kubernetes where mutating admission policies
// are on by default.
const firstMinor = 36

func checkVersion(_ context.Context, e *examination) error {
	info, err := e.clientset.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	return e.examineVersion(info)
}

func (e *examination) examineVersion(info *version.Info) error {
	minor, err := strconv.Atoi(strings.TrimRight(info.Minor, "+"))
	if err != nil {
		return fmt.Errorf("the API server's version is %q", info.GitVersion)
	}
	if info.Major == "1" && minor < firstMinor {
		e.add(e.unlessOptional(), "API server "+info.GitVersion, fmt.Sprintf("it is older than 1.%d, so policies put no gate on pods", firstMinor),
			"Upgrade the cluster, or put the gate into the templates of the pods: config/components/pod-template-gate.")
		return nil
	}
	e.add(severityOK, "API server "+info.GitVersion, fmt.Sprintf("it is 1.%d or newer", firstMinor), "")
	return nil
}

// definitionName is the name of the resource definition.
const definitionName = "databaseschemas." + v1alpha1.GroupName

const installRemedy = "Install config/crd of the version that the operator has."

func checkDefinition(ctx context.Context, e *examination) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	err := e.client.Get(ctx, client.ObjectKey{Name: definitionName}, object)
	if apierrors.IsNotFound(err) {
		e.add(severityError, "CustomResourceDefinition "+definitionName, "it is not there", installRemedy)
		return nil
	}
	if err != nil {
		return err
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, definition); err != nil {
		return fmt.Errorf("reading the CustomResourceDefinition: %w", err)
	}
	e.compareDefinition(definition)
	return nil
}

// compareDefinition tells whether the installed definition has the fields that
// this program knows: that is what makes two versions differ.
func (e *examination) compareDefinition(definition *apiextensionsv1.CustomResourceDefinition) {
	object := "CustomResourceDefinition " + definitionName
	i := slices.IndexFunc(definition.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return v.Name == v1alpha1.GroupVersion.Version && v.Served
	})
	if i < 0 || definition.Spec.Versions[i].Schema == nil {
		e.add(severityError, object, "it does not serve version "+v1alpha1.GroupVersion.Version, installRemedy)
		return
	}
	missing, unknown := compareFields(reflect.TypeFor[v1alpha1.DatabaseSchema](), definition.Spec.Versions[i].Schema.OpenAPIV3Schema, "")
	if len(missing) > 0 {
		e.add(severityError, object, "it is older than this program, and lacks "+strings.Join(missing, ", "), installRemedy)
	}
	if len(unknown) > 0 {
		e.add(severityWarning, object, "it is newer than this program, which does not know "+strings.Join(unknown, ", "), "Install the same version of kubectl-schemagate.")
	}
}

// compareFields returns the fields of a type that a schema lacks, and those that
// it has besides.
func compareFields(t reflect.Type, props *apiextensionsv1.JSONSchemaProps, path string) (missing, unknown []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice && props != nil && props.Items != nil {
			props = props.Items.Schema
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[v1alpha1.DatabaseSchema]().PkgPath() || props == nil {
		return nil, nil
	}
	known := map[string]bool{}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			known["kind"], known["apiVersion"] = true, true
			continue
		}
		known[name] = true
		property, ok := props.Properties[name]
		if !ok {
			missing = append(missing, strings.TrimPrefix(path+"."+name, "."))
			continue
		}
		m, u := compareFields(field.Type, &property, path+"."+name)
		missing, unknown = append(missing, m...), append(unknown, u...)
	}
	for name := range props.Properties {
		if !known[name] {
			unknown = append(unknown, strings.TrimPrefix(path+"."+name, "."))
		}
	}
	slices.Sort(missing)
	slices.Sort(unknown)
	return missing, unknown
}

const policiesRemedy = "Install config/admission of the version that the operator has."

// checkPolicies looks whether the policies are there, and say what this program's
// do.
func checkPolicies(ctx context.Context, e *examination) error {
	for _, policy := range admission.Policies() {
		for _, object := range policy.Objects() {
			want, ok := object.(client.Object)
			if !ok {
				continue
			}
			if err := e.comparePolicy(ctx, want); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *examination) comparePolicy(ctx context.Context, want client.Object) error {
	name := want.GetObjectKind().GroupVersionKind().Kind + " " + want.GetName()
	found, ok := want.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	err := e.client.Get(ctx, client.ObjectKeyFromObject(want), found)
	switch {
	case apierrors.IsNotFound(err), apimeta.IsNoMatchError(err):
		e.missingPolicy(want, name)
		return nil
	case err != nil:
		return err
	case !slices.Equal(expressions(want), expressions(found)):
		e.add(severityWarning, name, "it is not that of this program's version", policiesRemedy)
	}
	if binding, ok := found.(*admissionregistrationv1.ValidatingAdmissionPolicyBinding); ok && !slices.Contains(binding.Spec.ValidationActions, admissionregistrationv1.Deny) {
		e.add(severityError, name, "its validationActions lack Deny, so nothing is refused", policiesRemedy)
	}
	return nil
}

// missingPolicy notes a policy that is not there. Without the mutating ones an operator
// can do, and says so by its flag; without the others, gates can be taken off.
func (e *examination) missingPolicy(want client.Object, name string) {
	e.policies++
	mutates := false
	switch want.(type) {
	case *admissionregistrationv1.MutatingAdmissionPolicy, *admissionregistrationv1.MutatingAdmissionPolicyBinding:
		mutates = true
	default: // a validating one
	}
	e.addMissing = e.addMissing || want.GetName() == naming.PolicyAdd
	if mutates && e.optional() {
		e.add(severityWarning, name, "it is not there, which the operator's flag --admission-policies=Optional allows for: pods get no gate by themselves",
			"Put the gate and "+admission.MigrationsEnv+" into the templates of the pods: config/components/pod-template-gate. From Kubernetes 1.36 on, install config/default.")
		return
	}
	e.add(severityError, name, "it is not there: pods get no gate by themselves, or lose it to anybody", policiesRemedy)
}

// expressions are what a policy computes; the API server adds defaults to the rest.
func expressions(object client.Object) []string {
	var out []string
	switch p := object.(type) {
	case *admissionregistrationv1.MutatingAdmissionPolicy:
		for _, v := range p.Spec.Variables {
			out = append(out, v.Name, v.Expression)
		}
		for _, m := range p.Spec.Mutations {
			if m.JSONPatch != nil {
				out = append(out, m.JSONPatch.Expression)
			}
		}
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		for _, v := range p.Spec.Variables {
			out = append(out, v.Name, v.Expression)
		}
		for _, v := range p.Spec.Validations {
			out = append(out, v.Expression)
		}
	default: // a binding
	}
	return out
}

// probeName names a schema that nobody has.
const probeName = "schemagate-doctor"

// checkPoliciesAct creates pods with a dry run, of which nothing stays: one that
// has to get the gate, and one on a node, which has to be refused.
func checkPoliciesAct(ctx context.Context, e *examination) error {
	before, pod, says := len(e.findings), probe(e.namespace), "a labeled pod gets the gate"
	if e.addMissing && e.optional() {
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.GateName}}
		says = "a labeled pod whose template has the gate keeps it"
	}
	err := e.client.Create(ctx, pod, client.DryRunAll)
	switch {
	case err != nil:
		return fmt.Errorf("creating a pod in namespace %s with a dry run: %w", e.namespace, err)
	case !schedgate.Has(pod):
		e.add(severityError, "Policy "+naming.PolicyAdd, "a labeled pod that was created with a dry run got no gate", policiesRemedy)
	}
	bound := probe(e.namespace)
	bound.Spec.NodeName = probeName
	if err := e.client.Create(ctx, bound, client.DryRunAll); err == nil || !strings.Contains(err.Error(), naming.PolicyClosed) {
		e.add(severityError, "Policy "+naming.PolicyClosed, "a labeled pod that cannot be held, created with a dry run, was not refused by it", policiesRemedy)
	}
	if len(e.findings) == before {
		e.add(severityOK, "", says+", and one that cannot be held is refused", "")
	}
	return nil
}

// probe is a labeled pod that Pod Security "restricted" admits, of a schema that
// does not exist.
func probe(namespace string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: probeName + "-", Labels: map[string]string{v1alpha1.LabelSchema: probeName}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(65532)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: v1alpha1.DefaultContainer, Image: "schemagate.dev/none:0.0.0",
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}
