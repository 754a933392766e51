package kubectl

import (
	"github.com/spf13/cobra"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

type suspendCmd struct {
	*session
	suspend bool
}

func newSuspendCmd(s *session) *cobra.Command {
	c := &suspendCmd{session: s, suspend: true}
	return &cobra.Command{
		Use:   "suspend NAME",
		Short: "Let nothing new begin for a schema",
		Long: `Suspend sets spec.suspend. A migration that runs is ended, and rolls back what it has
not committed; nothing new begins; pods that the database serves as it is are still
let through. Where a tool such as Argo CD or Flux keeps the spec, it sets it back:
suspend it there instead.`,
		Args:              exactArgs("schema"),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
}

func newResumeCmd(s *session) *cobra.Command {
	c := &suspendCmd{session: s}
	return &cobra.Command{
		Use:               "resume NAME",
		Short:             "Let a suspended schema go on",
		Long:              `Resume takes spec.suspend back. What is pending begins.`,
		Args:              exactArgs("schema"),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
}

func (c *suspendCmd) do(cmd *cobra.Command, args []string) error {
	schema, err := c.getSchema(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	state := map[bool]string{true: "suspended", false: "resumed"}[c.suspend]
	if ptr.Deref(schema.Spec.Suspend, false) == c.suspend {
		printf(cmd.OutOrStdout(), "databaseschema %s/%s is not changed: spec.suspend is %t\n", schema.Namespace, schema.Name, c.suspend)
		return nil
	}
	migrating := schema.Status.Attempt.State == v1alpha1.AttemptPending
	if err := c.mergePatch(cmd.Context(), schema, map[string]any{"spec": map[string]any{"suspend": c.suspend}}); err != nil {
		return err
	}
	printf(cmd.OutOrStdout(), "databaseschema %s/%s %s\n", schema.Namespace, schema.Name, state)
	if c.suspend && migrating {
		printf(cmd.ErrOrStderr(), "The migration that is under way is ended, and looked at again when the schema is resumed.\n")
	}
	return nil
}
