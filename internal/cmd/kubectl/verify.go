package kubectl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

type verifyCmd struct {
	*session
	format  format
	timeout time.Duration
}

func newVerifyCmd(s *session) *cobra.Command {
	c := &verifyCmd{session: s}
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Have a Job look at the database, and say what it has found",
		Long: `Verify asks for a look at the database itself: at which revision it is, and whether its
tables are what that revision leaves. It waits for the answer. The Job changes
nothing; when the database is not where the status has it, the operator goes on from
what was found.`,
		Args:              exactArgs("schema"),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
	c.format.add(cmd, formatJSON, formatYAML)
	cmd.Flags().DurationVar(&c.timeout, "timeout", 5*time.Minute, "how long to wait for the answer; 0 for no limit")
	return cmd
}

// verifyReport is what a look has found.
type verifyReport struct {
	Namespace string                  `json:"namespace"`
	Name      string                  `json:"name"`
	Applied   v1alpha1.RevisionStatus `json:"applied,omitzero"`
	Verified  *metav1.Time            `json:"verifiedTime,omitempty"`
	Result    string                  `json:"result"`
	Message   string                  `json:"message,omitempty"`
	Drift     v1alpha1.DriftStatus    `json:"drift,omitzero"`
}

func (c *verifyCmd) do(cmd *cobra.Command, args []string) error {
	schema, err := c.getSchema(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	if ptr.Deref(schema.Spec.Suspend, false) {
		return refused(fmt.Errorf("spec.suspend is true, so no Job is made: kubectl schemagate resume %s", schema.Name))
	}
	mark := c.mark()
	if err := c.annotate(cmd.Context(), schema, v1alpha1.AnnotationVerify, mark); err != nil {
		return err
	}
	printf(cmd.ErrOrStderr(), "Asked for a look at the database of %s/%s.\n", schema.Namespace, schema.Name)
	status, err := c.await(cmd, schema.Status, args[0], mark)
	if err != nil {
		return err
	}
	return c.tell(cmd, schema, status)
}

// await waits until the look has ended for good, and tells what goes on.
func (c *verifyCmd) await(cmd *cobra.Command, before v1alpha1.DatabaseSchemaStatus, name, mark string) (v1alpha1.DatabaseSchemaStatus, error) {
	var last string
	var status v1alpha1.DatabaseSchemaStatus
	err := c.wait(cmd.Context(), c.timeout, func(ctx context.Context) (bool, error) {
		schema, err := c.getSchema(ctx, name)
		if err != nil {
			return false, err
		}
		status = schema.Status
		ready := conditionOf(schema, v1alpha1.ConditionReady)
		if text := ready.Reason + ": " + ready.Message; text != last {
			last = text
			printf(cmd.ErrOrStderr(), "%s\n", text)
		}
		if status.LastHandledVerify != mark {
			stalled := conditionOf(schema, v1alpha1.ConditionStalled)
			// Nobody looks at a database that is not clearly this schema's.
			return stalled.Status == metav1.ConditionTrue && stalled.Reason == v1alpha1.ReasonDatabaseShared, nil
		}
		// After the look the operator may go on with something else at once.
		state, looked := status.Attempt.State, !status.VerifiedTime.Equal(before.VerifiedTime)
		return looked || state == v1alpha1.AttemptSucceeded || state == v1alpha1.AttemptFailed, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return status, tookTooLong(c.timeout, last)
	}
	if err == nil && status.LastHandledVerify != mark {
		return status, permanent(errors.New(last))
	}
	return status, err
}

func (c *verifyCmd) tell(cmd *cobra.Command, schema *v1alpha1.DatabaseSchema, status v1alpha1.DatabaseSchemaStatus) error {
	r := verifyReport{
		Namespace: schema.Namespace, Name: schema.Name, Applied: status.AppliedRevision, Verified: status.VerifiedTime,
		Result: v1alpha1.ReasonSucceeded, Drift: status.Drift,
	}
	if status.Attempt.State == v1alpha1.AttemptFailed {
		r.Result, r.Message = status.Attempt.Reason, status.Attempt.Message
	}
	out := cmd.OutOrStdout()
	switch {
	case c.format.machine():
		if err := c.format.encode(out, r); err != nil {
			return err
		}
	case r.Message != "":
		printf(out, "The look has failed, %s: %s\n", r.Result, r.Message)
	case r.Drift.Count > 0:
		printf(out, "The database is at revision %s, and differs from it in %s:\n", revisionText(r.Applied), counted(int(r.Drift.Count), "place"))
		for _, difference := range r.Drift.Differences {
			printf(out, "  %s\n", difference)
		}
	case schema.Spec.Policy.Drift == v1alpha1.DriftIgnore:
		printf(out, "The database is at revision %s. Drift was not looked for: spec.policy.drift is Ignore.\n", revisionText(r.Applied))
	default:
		printf(out, "The database is at revision %s, and is what that leaves.\n", revisionText(r.Applied))
	}
	switch {
	case r.Message != "":
		return &exit.Error{Code: result.ExitPermanent}
	case r.Drift.Count > 0:
		return &exit.Error{Code: result.ExitDrift}
	}
	return nil
}
