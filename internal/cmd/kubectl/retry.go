package kubectl

import (
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

type retryCmd struct{ *session }

func newRetryCmd(s *session) *cobra.Command {
	c := &retryCmd{session: s}
	return &cobra.Command{
		Use:   "retry NAME",
		Short: "Ask for another attempt after a failure",
		Long: `Retry has a migration that has failed begin once more: one that is Stalled, after what
it names was mended, and at once one that waits for its next attempt. Where the backup
before a migration has failed, it has another one made.`,
		Args:              exactArgs("schema"),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
}

func (c *retryCmd) do(cmd *cobra.Command, args []string) error {
	schema, err := c.getSchema(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	failure := failureOf(schema)
	if failure == "" {
		return c.nothing(cmd, schema)
	}
	printf(cmd.ErrOrStderr(), "%s\n", failure)
	if err := c.annotate(cmd.Context(), schema, v1alpha1.AnnotationRetry, c.mark()); err != nil {
		return err
	}
	printf(cmd.OutOrStdout(), "databaseschema %s/%s: another attempt is asked for\n", schema.Namespace, schema.Name)
	if ptr.Deref(schema.Spec.Suspend, false) {
		printf(cmd.ErrOrStderr(), "It begins when the schema is resumed: spec.suspend is true.\n")
	}
	return nil
}

// failureOf says what a retry is to do once more; empty where nothing has failed.
func failureOf(schema *v1alpha1.DatabaseSchema) string {
	// A backup is made before there is an attempt, and waits for the same annotation.
	if c := conditionOf(schema, v1alpha1.ConditionStalled); c.Status == metav1.ConditionTrue && c.Reason == v1alpha1.ReasonBackupFailed {
		return c.Reason + ": " + c.Message
	}
	switch attempt := schema.Status.Attempt; attempt.State {
	case v1alpha1.AttemptFailed, v1alpha1.AttemptRetrying, v1alpha1.AttemptLost:
		return fmt.Sprintf("Attempt %d ended as %s: %s", attempt.Number, orDash(attempt.Reason), orDash(attempt.Message))
	case v1alpha1.AttemptPending, v1alpha1.AttemptSucceeded, v1alpha1.AttemptAbandoned:
	}
	return ""
}

func (c *retryCmd) nothing(cmd *cobra.Command, schema *v1alpha1.DatabaseSchema) error {
	ready := conditionOf(schema, v1alpha1.ConditionReady)
	printf(cmd.OutOrStdout(), "databaseschema %s/%s is not changed: no attempt has failed (%s)\n", schema.Namespace, schema.Name, orDash(ready.Reason))
	return nil
}
