package v1alpha1

// Labels, annotations and the gate that tie pods to a DatabaseSchema.
const (
	// LabelSchema on a pod names the DatabaseSchema, in the pod's own
	// namespace, that the pod needs. It can be set at creation only.
	LabelSchema = GroupName + "/schema"

	// GateName is the pod scheduling gate that holds a pod until its schema
	// serves it.
	GateName = GroupName + "/schema"

	// AnnotationRequires on a pod says which revision it needs: an order
	// number, a revision id or a three-part application version. It comes
	// before the tag of the pod's image.
	AnnotationRequires = GroupName + "/requires"

	// AnnotationContainer on a pod names its application container. Without
	// it that is the container DefaultContainer, or the only one.
	AnnotationContainer = GroupName + "/container"

	// AnnotationServedBy is written at admission on a pod that its schema
	// already serves, as "<schema>/<applied revision>". An ungated pod with
	// LabelSchema but without this mark is refused: something other than the
	// policies has taken its gate off.
	AnnotationServedBy = GroupName + "/served-by"

	// AnnotationHold is stamped on every gated pod when a hold begins. It
	// changes the pod's resourceVersion, so a release that another operator
	// process had in flight fails.
	AnnotationHold = GroupName + "/hold"

	// DefaultContainer is the name of the application container where
	// AnnotationContainer does not say otherwise.
	DefaultContainer = "open-webui"
)

// Annotations on a DatabaseSchema by which people ask for one action. A value
// acts once: the controller remembers the last one it has handled.
const (
	// AnnotationRetry asks for another attempt after a failure that the
	// controller does not retry by itself. Any new value counts.
	AnnotationRetry = GroupName + "/retry"

	// AnnotationVerify asks for a look at the database itself. Any new value
	// counts.
	AnnotationVerify = GroupName + "/verify"

	// AnnotationApprove approves the plan whose digest is its value.
	AnnotationApprove = GroupName + "/approve"
)
