// Package admission builds the admission policies that gate pods inside the
// API server, without a server of ours. They are written out to
// config/admission; the constants and rules they share with the operator's Go
// code are taken from it here, so that the two cannot drift apart.
package admission

//go:generate go run ./generate ../../config/admission

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
)

// MigrationsEnv is the variable by which Open WebUI is told whether to migrate
// its database itself when it starts.
const MigrationsEnv = "ENABLE_DB_MIGRATIONS"

// Policy is one admission policy with its binding: either the mutating or the
// validating pair is set.
type Policy struct {
	Mutating          *admissionregistrationv1.MutatingAdmissionPolicy
	MutatingBinding   *admissionregistrationv1.MutatingAdmissionPolicyBinding
	Validating        *admissionregistrationv1.ValidatingAdmissionPolicy
	ValidatingBinding *admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// Name returns the name of the policy, which is that of its binding, too.
func (p Policy) Name() string {
	if p.Mutating != nil {
		return p.Mutating.Name
	}
	return p.Validating.Name
}

// FileName returns the name of the policy's file in config/admission.
func (p Policy) FileName() string {
	return strings.TrimPrefix(p.Name(), naming.PolicyPrefix) + ".yaml"
}

// Objects returns the policy and its binding, to be created in this order.
func (p Policy) Objects() []runtime.Object {
	if p.Mutating != nil {
		return []runtime.Object{p.Mutating, p.MutatingBinding}
	}
	return []runtime.Object{p.Validating, p.ValidatingBinding}
}

// Policies returns every policy, in the order of the design: add, served,
// closed (without and with the schema at hand), keep and fixed.
func Policies() []Policy {
	return []Policy{addPolicy(), servedPolicy(), closedPolicy(), closedServedPolicy(), keepPolicy(), fixedPolicy()}
}

// addPolicy puts the gate on every labeled pod, and keeps the application from
// migrating its database itself. It fails closed: without it no labeled pod
// is created.
func addPolicy() Policy {
	return Policy{
		Mutating: &admissionregistrationv1.MutatingAdmissionPolicy{
			TypeMeta:   typeMeta("MutatingAdmissionPolicy"),
			ObjectMeta: metav1.ObjectMeta{Name: naming.PolicyAdd},
			Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
				FailurePolicy:      new(admissionregistrationv1.Fail),
				ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
				MatchConstraints:   labeledPods(admissionregistrationv1.Create, "pods"),
				Variables: cel(gated, annotations, bound, containerName, app, variable{
					// position of the application container, or -1.
					"position", `size(variables.app) == 1
  ? object.spec.containers.map(c, c.name).indexOf(variables.app[0].name) : -1`,
				}, variable{
					"silent", fmt.Sprintf(`variables.position >= 0
  && !variables.app[0].?env.orValue([]).exists(e, e.name == '%s')`, MigrationsEnv),
				}),
				Mutations: []admissionregistrationv1.Mutation{
					jsonPatch(fmt.Sprintf(`variables.gated || variables.bound ? [] : [
  size(object.spec.?schedulingGates.orValue([])) == 0
    ? JSONPatch{op: "add", path: "/spec/schedulingGates", value: [Object.spec.schedulingGates{name: "%[1]s"}]}
    : JSONPatch{op: "add", path: "/spec/schedulingGates/-", value: Object.spec.schedulingGates{name: "%[1]s"}}
]`, v1alpha1.GateName)),
					jsonPatch(fmt.Sprintf(`!variables.silent ? [] : [
  size(variables.app[0].?env.orValue([])) == 0
    ? JSONPatch{op: "add", path: "/spec/containers/" + string(variables.position) + "/env",
        value: [Object.spec.containers.env{name: "%[1]s", value: "false"}]}
    : JSONPatch{op: "add", path: "/spec/containers/" + string(variables.position) + "/env/-",
        value: Object.spec.containers.env{name: "%[1]s", value: "false"}}
]`, MigrationsEnv)),
				},
			},
		},
		MutatingBinding: &admissionregistrationv1.MutatingAdmissionPolicyBinding{
			TypeMeta:   typeMeta("MutatingAdmissionPolicyBinding"),
			ObjectMeta: metav1.ObjectMeta{Name: naming.PolicyAdd},
			Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: naming.PolicyAdd},
		},
	}
}

// servedPolicy takes the gate off again, and marks the pod, when the status of its
// schema says that it is served. When a webhook changes the pod afterwards it
// runs again, and puts the gate back if the pod is served no more. It is the
// only policy whose failure leaves things as they are, which is gated.
//
// Policies run in no fixed order and one that did not match is not run again,
// so whether there is a gate to take off is decided in the mutation, not in a
// match condition.
func servedPolicy() Policy {
	return Policy{
		Mutating: &admissionregistrationv1.MutatingAdmissionPolicy{
			TypeMeta:   typeMeta("MutatingAdmissionPolicy"),
			ObjectMeta: metav1.ObjectMeta{Name: naming.PolicyServed},
			Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
				FailurePolicy:      new(admissionregistrationv1.Ignore),
				ReinvocationPolicy: admissionregistrationv1.IfNeededReinvocationPolicy,
				ParamKind:          schemaKind(),
				MatchConstraints:   labeledPods(admissionregistrationv1.Create, "pods"),
				MatchConditions:    []admissionregistrationv1.MatchCondition{ownSchema()},
				Variables:          cel(decision...),
				Mutations: []admissionregistrationv1.Mutation{
					jsonPatch(fmt.Sprintf(`variables.served
  ? (variables.gated
      ? [JSONPatch{op: "remove", path: "/spec/schedulingGates/"
          + string(object.spec.schedulingGates.map(g, g.name).indexOf("%[1]s"))}] : [])
  : (variables.gated || variables.bound ? []
      : (size(object.spec.?schedulingGates.orValue([])) == 0
          ? [JSONPatch{op: "add", path: "/spec/schedulingGates", value: [Object.spec.schedulingGates{name: "%[1]s"}]}]
          : [JSONPatch{op: "add", path: "/spec/schedulingGates/-", value: Object.spec.schedulingGates{name: "%[1]s"}}]))`,
						v1alpha1.GateName)),
					jsonPatch(fmt.Sprintf(`variables.served
  ? [size(variables.annotations) == 0
      ? JSONPatch{op: "add", path: "/metadata/annotations", value: {"%[1]s": %[2]s}}
      : JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("%[1]s"), value: %[2]s}]
  : ("%[1]s" in variables.annotations
      ? [JSONPatch{op: "remove", path: "/metadata/annotations/" + jsonpatch.escapeKey("%[1]s")}] : [])`,
						v1alpha1.AnnotationServedBy,
						`params.metadata.name + "/" + (variables.disabled ? "open" : string(params.status.serves.to))`)),
				},
			},
		},
		MutatingBinding: &admissionregistrationv1.MutatingAdmissionPolicyBinding{
			TypeMeta:   typeMeta("MutatingAdmissionPolicyBinding"),
			ObjectMeta: metav1.ObjectMeta{Name: naming.PolicyServed},
			Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{
				PolicyName: naming.PolicyServed,
				ParamRef:   anySchema(),
			},
		},
	}
}

// closedPolicy is the last look at a new pod: it is gated, or it carries the
// mark of served. It holds whatever webhooks did after the mutating policies,
// such as adding the label or replacing the gates.
func closedPolicy() Policy {
	return validating(naming.PolicyClosed, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		FailurePolicy:    new(admissionregistrationv1.Fail),
		MatchConstraints: labeledPods(admissionregistrationv1.Create, "pods"),
		Variables:        cel(gated, annotations, bound, marked),
		Validations: []admissionregistrationv1.Validation{{
			Expression: `variables.gated || variables.bound || variables.marked`,
			Reason:     new(metav1.StatusReasonForbidden),
			Message: fmt.Sprintf("a pod with the label %s must carry the scheduling gate %s: a webhook has added the label or removed the gate "+
				"after the admission policies ran; set the label where the pod is created, such as in the Deployment's pod template",
				v1alpha1.LabelSchema, v1alpha1.GateName),
		}, {
			Expression: `!variables.bound || variables.marked`,
			Reason:     new(metav1.StatusReasonForbidden),
			Message: fmt.Sprintf("a pod with the label %s cannot be held by a gate when spec.nodeName is set, and its DatabaseSchema does not "+
				"serve it: leave the choice of the node to the scheduler, with nodeSelector or affinity", v1alpha1.LabelSchema),
		}},
	}, nil)
}

// closedServedPolicy looks at the mark with the schema at hand: the pod is
// served as it is now, not only as it was before a webhook rewrote it. What
// closed refuses it leaves to closed, so that a refusal has one message.
func closedServedPolicy() Policy {
	return validating(naming.PolicyClosedServed, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		FailurePolicy:    new(admissionregistrationv1.Fail),
		ParamKind:        schemaKind(),
		MatchConstraints: labeledPods(admissionregistrationv1.Create, "pods"),
		MatchConditions:  []admissionregistrationv1.MatchCondition{ownSchema()},
		Variables:        cel(append(slices.Clone(decision), marked)...),
		Validations: []admissionregistrationv1.Validation{{
			Expression: `variables.gated || !variables.marked || variables.served`,
			Reason:     new(metav1.StatusReasonForbidden),
			MessageExpression: `'DatabaseSchema ' + params.metadata.name + ' does not serve this pod, which needs '
  + (variables.named == '' ? 'an unknown revision' : variables.named) + ', and its scheduling gate is gone'`,
			Message: "the pod's DatabaseSchema does not serve it and its scheduling gate is gone",
		}},
	}, anySchema())
}

// keepPolicy lets only those take the gate off who were given update on
// databaseschemas/gate. It looks at the gate, not at the label, which could be
// edited away first.
//
// An account that may do everything has that permission without anybody having
// thought of it, so an administrator's kubectl edit would open a gate. Such an
// account is told apart by a subresource that does not exist and nobody is
// given, and is refused: opening a gate by hand is a decision of its own, taken
// with --as an account that has just this permission.
func keepPolicy() Policy {
	const hasGate = `%s.spec.?schedulingGates.orValue([]).exists(g, g.name == '` + v1alpha1.GateName + `')`
	mayUpdate := func(subresource string) string {
		return fmt.Sprintf(`authorizer.group('%s').resource('databaseschemas').subresource('%s').namespace(request.namespace).check('update').allowed()`,
			v1alpha1.GroupName, subresource)
	}
	return validating(naming.PolicyKeep, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		FailurePolicy: new(admissionregistrationv1.Fail),
		MatchConstraints: &admissionregistrationv1.MatchResources{
			ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{podRule(admissionregistrationv1.Update, "pods")},
		},
		MatchConditions: []admissionregistrationv1.MatchCondition{{
			Name:       "opened",
			Expression: fmt.Sprintf(hasGate, "oldObject") + " && !" + fmt.Sprintf(hasGate, "object"),
		}},
		Validations: []admissionregistrationv1.Validation{{
			Expression: mayUpdate("gate"),
			Reason:     new(metav1.StatusReasonForbidden),
			Message: fmt.Sprintf("taking the scheduling gate %s off needs the permission to update databaseschemas/gate in this namespace: "+
				"the operator has it, and opens the gate when the database serves the pod", v1alpha1.GateName),
		}, {
			Expression: "!" + mayUpdate("every-subresource"),
			Reason:     new(metav1.StatusReasonForbidden),
			Message: fmt.Sprintf("taking the scheduling gate %s off is refused to accounts that may do everything, so that it does not happen "+
				"by accident: use --as with an account that was given update on databaseschemas/gate by name, or set spec.gate: Open "+
				"on the DatabaseSchema", v1alpha1.GateName),
		}},
	}, nil)
}

// fixedPolicy keeps what a decision was based on as it was: the label, what the pod
// says it needs, and the image of its application container.
func fixedPolicy() Policy {
	unchanged := func(annotation string) string {
		return fmt.Sprintf(`oldObject.metadata.?annotations[?'%[1]s'] == object.metadata.?annotations[?'%[1]s']`, annotation)
	}
	before := variable{"before", fmt.Sprintf(`oldObject.metadata.?labels[?'%s']`, v1alpha1.LabelSchema)}
	after := variable{"after", fmt.Sprintf(`object.metadata.?labels[?'%s']`, v1alpha1.LabelSchema)}
	was := variable{"gated", strings.ReplaceAll(gated.expression, "object.", "oldObject.")}
	return validating(naming.PolicyFixed, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		FailurePolicy: new(admissionregistrationv1.Fail),
		// The status and the other subresources change labels and annotations, too.
		MatchConstraints: labeledPods(admissionregistrationv1.Update, "pods", "pods/status", "pods/ephemeralcontainers", "pods/resize"),
		Variables:        cel(annotations, containerName, app, before, after, was),
		Validations: []admissionregistrationv1.Validation{{
			Expression: `variables.before == variables.after || (!variables.before.hasValue() && variables.gated)`,
			Reason:     new(metav1.StatusReasonForbidden),
			Message: fmt.Sprintf("the label %s cannot be added to a pod without the gate, nor changed or removed: "+
				"create the pod with it", v1alpha1.LabelSchema),
		}, {
			Expression: unchanged(v1alpha1.AnnotationRequires),
			Reason:     new(metav1.StatusReasonForbidden),
			Message: fmt.Sprintf("the annotation %s of a pod cannot change: create another pod, such as by changing the Deployment's "+
				"pod template", v1alpha1.AnnotationRequires),
		}, {
			Expression: unchanged(v1alpha1.AnnotationContainer),
			Reason:     new(metav1.StatusReasonForbidden),
			Message: fmt.Sprintf("the annotation %s of a pod cannot change: create another pod, such as by changing the Deployment's "+
				"pod template", v1alpha1.AnnotationContainer),
		}, {
			Expression: `variables.app.all(c, oldObject.spec.containers.exists(o, o.name == c.name && o.?image.orValue('') == c.?image.orValue('')))`,
			Reason:     new(metav1.StatusReasonForbidden),
			Message: "the image of the application container of a pod cannot change, because the database may not serve the new one: " +
				"change the Deployment's pod template, so that a new pod is checked",
		}},
	}, nil)
}
