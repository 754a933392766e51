package admission

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: kind}
}

// schemaKind makes DatabaseSchema the parameter of a policy.
func schemaKind() *admissionregistrationv1.ParamKind {
	return &admissionregistrationv1.ParamKind{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DatabaseSchema"}
}

// anySchema evaluates a policy once for each DatabaseSchema of the pod's
// namespace; ownSchema picks the pod's own.
func anySchema() *admissionregistrationv1.ParamRef {
	return &admissionregistrationv1.ParamRef{
		Selector:                &metav1.LabelSelector{},
		ParameterNotFoundAction: new(admissionregistrationv1.AllowAction),
	}
}

func ownSchema() admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{
		Name:       "own-schema",
		Expression: fmt.Sprintf(`params != null && params.metadata.name == object.metadata.labels['%s']`, v1alpha1.LabelSchema),
	}
}

// labeledPods matches one operation on pods that carry, or carried, the label.
func labeledPods(operation admissionregistrationv1.OperationType, resources ...string) *admissionregistrationv1.MatchResources {
	return &admissionregistrationv1.MatchResources{
		ObjectSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: v1alpha1.LabelSchema, Operator: metav1.LabelSelectorOpExists}},
		},
		ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{podRule(operation, resources...)},
	}
}

func podRule(operation admissionregistrationv1.OperationType, resources ...string) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{
		RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{operation},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: resources},
		},
	}
}

func validating(name string, spec admissionregistrationv1.ValidatingAdmissionPolicySpec, params *admissionregistrationv1.ParamRef) Policy {
	return Policy{
		Validating: &admissionregistrationv1.ValidatingAdmissionPolicy{
			TypeMeta:   typeMeta("ValidatingAdmissionPolicy"),
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       spec,
		},
		ValidatingBinding: &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			TypeMeta:   typeMeta("ValidatingAdmissionPolicyBinding"),
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        name,
				ParamRef:          params,
				ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			},
		},
	}
}

func jsonPatch(expression string) admissionregistrationv1.Mutation {
	return admissionregistrationv1.Mutation{
		PatchType: admissionregistrationv1.PatchTypeJSONPatch,
		JSONPatch: &admissionregistrationv1.JSONPatch{Expression: expression},
	}
}

func cel(list ...variable) []admissionregistrationv1.Variable {
	variables := make([]admissionregistrationv1.Variable, 0, len(list))
	for _, v := range list {
		variables = append(variables, admissionregistrationv1.Variable{Name: v.name, Expression: v.expression})
	}
	return variables
}
