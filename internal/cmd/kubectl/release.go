package kubectl

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/schedgate"
)

type releaseCmd struct {
	*session
	yes bool
}

func newReleaseCmd(s *session) *cobra.Command {
	c := &releaseCmd{session: s}
	cmd := &cobra.Command{
		Use:   "release POD",
		Short: "Open the gate of one pod by hand, in an emergency",
		Long: `Release takes the gate off one pod, whatever the database holds: the pod starts, and
may fail or harm data. It needs the permissions of the ClusterRole
schemagate-gatekeeper, which no other role has. An administrator is refused, too, and
names an account that has it with --as. While a migration holds all pods, the
operator ends such a pod again.`,
		Example:           `  kubectl schemagate release open-webui-7d9c4b5f6d-x2x7k --as gatekeeper`,
		Args:              exactArgs("pod"),
		ValidArgsFunction: c.completePods,
		RunE:              s.run(c.do),
	}
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	return cmd
}

// completePods offers the pods that wait.
func (c *releaseCmd) completePods(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	pods := &corev1.PodList{}
	if len(args) > 0 || c.connect() != nil ||
		c.client.List(cmd.Context(), pods, client.InNamespace(c.namespace), client.HasLabels{v1alpha1.LabelSchema}) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range pods.Items {
		if schedgate.Has(&pods.Items[i]) {
			names = append(names, pods.Items[i].Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (c *releaseCmd) do(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	pod := &corev1.Pod{}
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: args[0]}, pod); err != nil {
		return err
	}
	if !schedgate.Has(pod) {
		printf(cmd.OutOrStdout(), "pod %s/%s is not changed: it does not carry the gate %s\n", pod.Namespace, pod.Name, v1alpha1.GateName)
		return nil
	}
	if err := c.mayRelease(ctx); err != nil {
		return err
	}
	why, err := c.why(ctx, pod)
	if err != nil {
		return err
	}
	printf(cmd.ErrOrStderr(), "%s\nIt starts against the database as it is, and may fail or harm data.\n", why)
	if err := c.confirm(cmd, c.yes, "Open the gate of pod "+pod.Namespace+"/"+pod.Name+"?"); err != nil {
		return err
	}
	// Only of this pod, as it was shown, and only if the gate is where it was.
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": pod.UID},
		{"op": "test", "path": "/metadata/resourceVersion", "value": pod.ResourceVersion},
		{"op": "test", "path": gatePath(pod) + "/name", "value": v1alpha1.GateName},
		{"op": "remove", "path": gatePath(pod)},
	})
	if err != nil {
		return err
	}
	err = c.client.Patch(ctx, pod, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(fieldOwner))
	switch {
	case apierrors.IsForbidden(err):
		return refused(fmt.Errorf("%w; use --as with an account that the ClusterRole schemagate-gatekeeper is bound to", err))
	case apierrors.IsInvalid(err), apierrors.IsConflict(err):
		return transient(fmt.Errorf("the pod has changed meanwhile, look at it again: %w", err))
	case err != nil:
		return err
	}
	printf(cmd.OutOrStdout(), "pod %s/%s released\n", pod.Namespace, pod.Name)
	return nil
}

func gatePath(pod *corev1.Pod) string {
	return fmt.Sprintf("/spec/schedulingGates/%d", schedgate.Index(pod))
}

// mayRelease asks before it is tried, so that the answer says what is missing.
func (c *releaseCmd) mayRelease(ctx context.Context) error {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: c.namespace, Verb: "update", Group: v1alpha1.GroupName, Resource: "databaseschemas", Subresource: "gate",
		},
	}}
	if err := c.client.Create(ctx, review); err != nil {
		return err
	}
	if !review.Status.Allowed {
		return refused(fmt.Errorf("you may not open gates in namespace %s: bind the ClusterRole schemagate-gatekeeper to an account there, and use it with --as", c.namespace))
	}
	return nil
}

// why says why the pod waits. A gatekeeper may know pods only.
func (c *releaseCmd) why(ctx context.Context, pod *corev1.Pod) (string, error) {
	name := pod.Labels[v1alpha1.LabelSchema]
	schema := &v1alpha1.DatabaseSchema{}
	err := c.client.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, schema)
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("The pod waits for DatabaseSchema %s, which you may not read.", name), nil
	case apierrors.IsNotFound(err):
		schema.Name = name
	case err != nil:
		return "", err
	}
	b, err := openWebUI()
	if err != nil {
		return "", err
	}
	admission := plan.Release(schema, b, pod)
	text := admission.Message
	if admission.Allowed {
		text = "The database serves the pod: the operator is about to open its gate by itself."
	}
	if schema.Status.Gate.State == v1alpha1.GateHeld && schema.Status.Gate.Decision != "" {
		text += " A migration holds all pods: as long as it does, the operator ends a pod that is let in."
	}
	return text, nil
}
