package kubectl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
)

// labelName is on all that belongs to the operator.
const labelName = "app.kubernetes.io/name"

// findOperator reads the operator's Deployment. What that says of the policies is
// needed before it is looked at itself.
func (e *examination) findOperator(ctx context.Context) {
	deployments := &appsv1.DeploymentList{}
	e.unreadable = e.client.List(ctx, deployments, client.InNamespace(e.operator))
	for i := range deployments.Items {
		if d := &deployments.Items[i]; d.Spec.Template.Labels[labelName] == naming.ServiceAccount {
			e.deployment = d
		}
	}
}

func checkOperator(_ context.Context, e *examination) error {
	if e.unreadable != nil {
		return e.unreadable
	}
	if e.deployment == nil {
		e.add(severityError, "namespace "+e.operator, "there is no Deployment whose pods have the label "+labelName+"="+naming.ServiceAccount,
			"Install the operator, or say where it is with --operator-namespace.")
		return nil
	}
	d := e.deployment
	object := fmt.Sprintf("Deployment %s/%s", d.Namespace, d.Name)
	switch wanted := ptr.Deref(d.Spec.Replicas, 1); {
	case d.Status.ReadyReplicas == 0:
		e.add(severityError, object, fmt.Sprintf("none of %s is ready: nothing is migrated, and no waiting pod is let in", counted(int(wanted), "replica")),
			fmt.Sprintf("Look at its pods: kubectl -n %s describe pods -l %s=%s.", d.Namespace, labelName, naming.ServiceAccount))
	case d.Status.ReadyReplicas < wanted:
		e.add(severityWarning, object, fmt.Sprintf("%d of %s are ready", d.Status.ReadyReplicas, counted(int(wanted), "replica")), "")
	default:
		e.add(severityOK, object, fmt.Sprintf("%s ready, image %s", counted(int(wanted), "replica"), d.Spec.Template.Spec.Containers[0].Image), "")
	}
	return nil
}

// staleAfter is how many of its durations a Lease may be old.
const staleAfter = 3

func checkLeader(ctx context.Context, e *examination) error {
	lease := &coordinationv1.Lease{}
	err := e.client.Get(ctx, client.ObjectKey{Namespace: e.operator, Name: naming.LeaderElectionID}, lease)
	object := "Lease " + e.operator + "/" + naming.LeaderElectionID
	remedy := fmt.Sprintf("Look at the operator's log: kubectl -n %s logs -l %s=%s.", e.operator, labelName, naming.ServiceAccount)
	switch {
	case apierrors.IsNotFound(err):
		e.add(severityError, object, "it is not there: no operator has ever led", remedy)
		return nil
	case err != nil:
		return err
	case lease.Spec.RenewTime == nil || ptr.Deref(lease.Spec.HolderIdentity, "") == "":
		e.add(severityError, object, "nobody holds it", remedy)
		return nil
	}
	age, duration := e.now().Sub(lease.Spec.RenewTime.Time), time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 15))*time.Second
	if age > staleAfter*duration {
		e.add(severityError, object, fmt.Sprintf("it was renewed %s ago and lasts %s: nobody leads, if the clocks agree", span(age), duration), remedy)
		return nil
	}
	e.add(severityOK, object, *lease.Spec.HolderIdentity+" leads", "")
	return nil
}

// values returns what the operator was given for a flag; the last one counts, or for
// a list all of them.
func (e *examination) values(flag string) []string {
	if e.deployment == nil {
		return nil
	}
	var out []string
	for _, container := range e.deployment.Spec.Template.Spec.Containers {
		for i, arg := range container.Args {
			value, ok := strings.CutPrefix(arg, flag+"=")
			if !ok && arg == flag && i+1 < len(container.Args) {
				value, ok = container.Args[i+1], true
			}
			if ok && value != "" {
				out = append(out, value)
			}
		}
	}
	return out
}

// watched returns the namespaces that the operator serves; none means all.
func (e *examination) watched() []string {
	var out []string
	for _, value := range e.values("--namespaces") {
		out = append(out, strings.Split(value, ",")...)
	}
	return out
}

// optional reports whether the operator does without the policies that Kubernetes
// has since 1.36 only, as the templates of pods have the gate.
func (e *examination) optional() bool {
	values := e.values("--admission-policies")
	return len(values) > 0 && values[len(values)-1] == "Optional"
}

// unlessOptional is the severity of something that the operator's flag allows for.
func (e *examination) unlessOptional() severity {
	if e.optional() {
		return severityWarning
	}
	return severityError
}

// permission is one of those that the operator has in the namespaces it serves.
type permission struct{ group, resource, subresource, verbs string }

// permissions are those of config/rbac/role, which a test compares.
func permissions() []permission {
	return []permission{
		{"", "pods", "", "delete get list patch watch"},
		{"apps", "deployments", "", "get"},
		{"apps", "replicasets", "", "get list watch"},
		{"apps", "statefulsets", "", "get"},
		{"batch", "cronjobs", "", "get"},
		{"batch", "jobs", "", "create delete get list patch watch"},
		{"events.k8s.io", "events", "", "create patch"},
		{v1alpha1.GroupName, "databaseschemas", "", "get list watch"},
		{v1alpha1.GroupName, "databaseschemas", "finalizers", "update"},
		{v1alpha1.GroupName, "databaseschemas", "gate", "update"},
		{v1alpha1.GroupName, "databaseschemas", "status", "get patch"},
	}
}

// checkPermissions asks what the operator's account may, where it has to.
func checkPermissions(ctx context.Context, e *examination) error {
	account := naming.ServiceAccount
	if e.deployment != nil {
		account = e.deployment.Spec.Template.Spec.ServiceAccountName
	}
	user := "system:serviceaccount:" + e.operator + ":" + account
	namespaces := e.watched()
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	for _, namespace := range namespaces {
		var lacks []string
		for _, p := range permissions() {
			missing, err := e.missingVerbs(ctx, user, namespace, p)
			if err != nil {
				return err
			}
			if len(missing) > 0 {
				lacks = append(lacks, fmt.Sprintf("%s %s", strings.Join(missing, ","), strings.TrimSuffix(p.resource+"/"+p.subresource, "/")))
			}
		}
		if len(lacks) > 0 {
			e.add(severityError, user, "in "+strings.Replace(place(namespace), "any namespace", "all namespaces", 1)+" it may not "+strings.Join(lacks, "; "),
				"Install config/rbac, or with --namespaces config/namespaced/team in each of them.")
		}
	}
	return nil
}

func (e *examination) missingVerbs(ctx context.Context, user, namespace string, p permission) ([]string, error) {
	var missing []string
	for verb := range strings.FieldsSeq(p.verbs) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, Groups: []string{"system:authenticated", "system:serviceaccounts", "system:serviceaccounts:" + e.operator},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: p.group, Resource: p.resource, Subresource: p.subresource,
			},
		}}
		if err := e.client.Create(ctx, review); err != nil {
			return nil, err
		}
		if !review.Status.Allowed {
			missing = append(missing, verb)
		}
	}
	return missing, nil
}

// serves reports whether the operator serves a namespace.
func (e *examination) serves(namespace string) bool {
	watched := e.watched()
	return len(watched) == 0 || slices.Contains(watched, namespace)
}
