// Package v1alpha1 holds the schemagate.dev/v1alpha1 API: the DatabaseSchema
// resource, its conditions and reasons, and the labels and annotations that
// pods and schemas carry.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="../applyconfiguration"
// +groupName=schemagate.dev
package v1alpha1
