package kubectl

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

type approveCmd struct {
	*session
	yes    bool
	digest string
}

func newApproveCmd(s *session) *cobra.Command {
	c := &approveCmd{session: s}
	cmd := &cobra.Command{
		Use:   "approve NAME",
		Short: "Approve the plan that a schema waits with",
		Long: `Approve shows the plan that waits for a person, asks, and approves that plan and no
other one: when anything about it changes, the approval is void. With --digest it
approves only the plan of that digest, as plan and the condition ApprovalRequired
have it, whatever was asked since.`,
		Example: `  kubectl schemagate approve open-webui
  kubectl schemagate approve open-webui --digest 0f3a5c7790d1e2b4 --yes`,
		Args:              exactArgs("schema"),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&c.digest, "digest", "", "approve only the plan of this digest")
	return cmd
}

// askedDigest returns the plan that the operator waits for an approval of; empty
// when it waits for none.
func askedDigest(schema *v1alpha1.DatabaseSchema) string {
	if !observed(schema) {
		return ""
	}
	return schema.Status.Approval.Digest
}

func (c *approveCmd) do(cmd *cobra.Command, args []string) error {
	schema, err := c.getSchema(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	digest := askedDigest(schema)
	switch {
	case digest == "" && c.digest == "":
		ready := conditionOf(schema, v1alpha1.ConditionReady)
		printf(cmd.OutOrStdout(), "databaseschema %s/%s is not changed: no plan waits for an approval (%s)\n", schema.Namespace, schema.Name, orDash(ready.Reason))
		return nil
	case digest == "":
		return refused(errors.New("no plan waits for an approval: --digest is that of another time"))
	case c.digest != "" && c.digest != digest:
		return refused(fmt.Errorf("the plan has changed: it is %s by now, and --digest is another one; look at it with kubectl schemagate plan %s", digest, schema.Name))
	}
	v, err := c.view(cmd.Context(), schema)
	if err != nil {
		return err
	}
	condition := conditionOf(schema, v1alpha1.ConditionApprovalRequired)
	if r := v.plan(""); r.Digest == digest {
		r.text(cmd.ErrOrStderr(), c.newPainter(cmd.ErrOrStderr()), false)
	} else {
		// Another version of this program plans other revisions than the operator.
		printf(cmd.ErrOrStderr(), "This program is not of the operator's version, so it can only repeat what that says.\n")
	}
	printf(cmd.ErrOrStderr(), "\n%s\n", condition.Message)
	if err := c.confirm(cmd, c.yes, "Approve the plan "+digest+"?"); err != nil {
		return err
	}
	if err := c.annotate(cmd.Context(), schema, v1alpha1.AnnotationApprove, digest); err != nil {
		return err
	}
	printf(cmd.OutOrStdout(), "databaseschema %s/%s: plan %s approved\n", schema.Namespace, schema.Name, digest)
	return nil
}
