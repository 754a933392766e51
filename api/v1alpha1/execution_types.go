package v1alpha1

import corev1 "k8s.io/api/core/v1"

// Execution shapes the migration Job.
//
// +kubebuilder:validation:MinProperties=1
type Execution struct {
	// lockTimeoutSeconds bounds how long one statement waits for a lock of
	// another session before the revision is rolled back and tried again. In
	// seconds, 1 to 3600; defaults to 5.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	LockTimeoutSeconds int32 `json:"lockTimeoutSeconds,omitempty"`

	// statementTimeoutSeconds bounds how long one statement runs. In seconds,
	// 0 to 604800; 0, the default, means no limit.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	StatementTimeoutSeconds *int32 `json:"statementTimeoutSeconds,omitempty"`

	// activeDeadlineSeconds bounds how long the Job runs; past it the schema
	// is Stalled. In seconds, 1 to 604800. Without it there is no limit: a
	// migration of much data is not failed for being slow.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	ActiveDeadlineSeconds int32 `json:"activeDeadlineSeconds,omitempty"`

	// ttlSecondsAfterFinished says how long a finished Job and its log stay.
	// In seconds, 60 to 2592000; defaults to 86400, one day.
	// +optional
	// +kubebuilder:default=86400
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=2592000
	TTLSecondsAfterFinished int32 `json:"ttlSecondsAfterFinished,omitempty"`

	// podTemplate adds to the migration pod. It is a closed list: nothing in
	// it can give the pod another identity, container or volume, so creating
	// a DatabaseSchema is not creating pods with any Secret of the namespace.
	// +optional
	PodTemplate PodTemplate `json:"podTemplate,omitempty,omitzero"`
}

// PodTemplate is what a migration pod may be given.
//
// +kubebuilder:validation:XValidation:rule="!has(self.labels) || !self.labels.exists(k, k.startsWith('schemagate.dev/') || k.endsWith('.schemagate.dev'))",reason=FieldValueForbidden,fieldPath=".labels",message="must not set labels of schemagate.dev: the gate would hold the migration itself"
// +kubebuilder:validation:XValidation:rule="!has(self.annotations) || !self.annotations.exists(k, k.startsWith('schemagate.dev/'))",reason=FieldValueForbidden,fieldPath=".annotations",message="must not set annotations of schemagate.dev"
// +kubebuilder:validation:MinProperties=1
type PodTemplate struct {
	// labels are added to the pod. At most 32; none of schemagate.dev.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations are added to the pod, for example to keep a service mesh
	// from injecting its proxy. At most 32; none of schemagate.dev.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// resources of the migration container.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// nodeSelector of the pod. At most 32 labels.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]LabelValue `json:"nodeSelector,omitempty"`

	// tolerations of the pod. At most 32.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity of the pod.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// priorityClassName of the pod.
	// +optional
	PriorityClassName ObjectName `json:"priorityClassName,omitempty"`

	// imagePullSecrets of the pod. At most 16.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []LocalObjectReference `json:"imagePullSecrets,omitempty"`
}

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$')",reason=FieldValueInvalid,message="must be a label value: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
type LabelValue string

// AnnotationValue is the value of an annotation.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// LocalObjectReference names an object in the same namespace.
type LocalObjectReference struct {
	// name of the object.
	// +required
	Name ObjectName `json:"name,omitempty"`
}
