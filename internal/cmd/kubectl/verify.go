package kubectl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/plan"
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
nothing; when the database is not where the status has it, verify says so, and the
operator goes on from what was found. Nobody looks while no pod needs a revision.

It ends with 15 when the database has drifted or is elsewhere, and with 12 when nobody
could look.`,
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
	Recorded  v1alpha1.RevisionStatus `json:"recorded,omitzero"` // where the status had it, where that was not so
	Verified  *metav1.Time            `json:"verifiedTime,omitempty"`
	Result    string                  `json:"result"`
	Message   string                  `json:"message,omitempty"`
	Drift     v1alpha1.DriftStatus    `json:"drift,omitzero"`

	ignored bool // drift was not looked for
}

func (c *verifyCmd) do(cmd *cobra.Command, args []string) error {
	schema, err := c.getSchema(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	if ptr.Deref(schema.Spec.Suspend, false) {
		return refused(fmt.Errorf("spec.suspend is true, so no Job is made: kubectl schemagate resume %s", schema.Name))
	}
	b, err := openWebUI()
	if err != nil {
		return err
	}
	mark := c.mark()
	if err := c.annotate(cmd.Context(), schema, v1alpha1.AnnotationVerify, mark); err != nil {
		return err
	}
	printf(cmd.ErrOrStderr(), "Asked for a look at the database of %s/%s.\n", schema.Namespace, schema.Name)
	l := newLook(schema, mark)
	if err := c.await(cmd, l); err != nil {
		return err
	}
	return c.tell(cmd.OutOrStdout(), l.report(b))
}

// await waits until the look has ended for good, and tells what goes on.
func (c *verifyCmd) await(cmd *cobra.Command, l *look) error {
	var last string
	name := l.schema.Name
	err := c.wait(cmd.Context(), c.timeout, func(ctx context.Context) (bool, error) {
		schema, err := c.getSchema(ctx, name)
		if err != nil {
			return false, err
		}
		ready := conditionOf(schema, v1alpha1.ConditionReady)
		if text := ready.Reason + ": " + ready.Message; text != last {
			last = text
			printf(cmd.ErrOrStderr(), "%s\n", text)
		}
		return l.take(schema)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return tookTooLong(c.timeout, last)
	}
	return err
}

// look is a verification that is waited for.
type look struct {
	mark   string
	schema *v1alpha1.DatabaseSchema // as it was read last

	// before is the last status that did not answer the mark. What had ended by then
	// has not looked for whoever asks now.
	before v1alpha1.DatabaseSchemaStatus

	// had is where the status had the database while a Job looked, by that Job; 0
	// where the Job had to find out.
	had map[string]int32

	// entry is that of the Job that has looked; nil while none has.
	entry *v1alpha1.HistoryEntry
}

func newLook(schema *v1alpha1.DatabaseSchema, mark string) *look {
	return &look{mark: mark, schema: schema, before: schema.Status, had: map[string]int32{}}
}

// unlooked are the reasons why a schema is Stalled before anybody looks at its
// database.
var unlooked = []string{
	v1alpha1.ReasonDatabaseShared, v1alpha1.ReasonInvalidReleases, v1alpha1.ReasonUnknownAppVersion, v1alpha1.ReasonUnknownRevision,
}

// take takes up the schema as it is by now, and reports whether the look has ended.
func (l *look) take(schema *v1alpha1.DatabaseSchema) (bool, error) {
	l.schema = schema
	status, stalled := schema.Status, conditionOf(schema, v1alpha1.ConditionStalled)
	attempt := status.Attempt
	l.had[attempt.Job] = 0
	if attempt.From != nil && *attempt.From == attempt.To {
		l.had[attempt.Job] = attempt.To
	}
	handled := status.LastHandledVerify == l.mark
	if !handled {
		l.before = status
	}
	switch {
	case handled && attempt.Number > l.before.Attempt.Number && l.ended():
		return true, nil
	case observed(schema) && stalled.Status == metav1.ConditionTrue && slices.Contains(unlooked, stalled.Reason):
		return true, permanent(errors.New(stalled.Reason + ": " + stalled.Message))
	case handled && attempt.Number == l.before.Attempt.Number:
		// The operator has nothing to do, so it has answered without an attempt.
		return true, permanent(fmt.Errorf("nobody looks at a database while no pod needs a revision: %s", conditionOf(schema, v1alpha1.ConditionReady).Message))
	}
	return false, nil
}

// ended finds the first Job since that has looked. After it the operator may have
// gone on with something else already.
func (l *look) ended() bool {
	status := l.schema.Status
	for i := range status.History {
		entry := &status.History[i]
		of := func(old v1alpha1.HistoryEntry) bool { return old.Job == entry.Job }
		if entry.Job == l.before.Attempt.Job || slices.ContainsFunc(l.before.History, of) {
			continue
		}
		if entry.Result == v1alpha1.ReasonSucceeded || entry.Result == string(result.ReasonUnexpectedRevision) ||
			entry.Job == status.Attempt.Job && status.Attempt.State == v1alpha1.AttemptFailed {
			l.entry = entry
		}
	}
	return l.entry != nil
}

// report says what the look has found.
func (l *look) report(b *bundle.Bundle) verifyReport {
	status, entry := l.schema.Status, l.entry
	r := verifyReport{
		Namespace: l.schema.Namespace, Name: l.schema.Name, Applied: status.AppliedRevision, Verified: status.VerifiedTime,
		Result: v1alpha1.ReasonSucceeded, Drift: status.Drift, ignored: l.schema.Spec.Policy.Drift == v1alpha1.DriftIgnore,
	}
	if status.Attempt.Job != entry.Job {
		// Something else has been begun since, and may have ended.
		at := entry.To
		if entry.Result != v1alpha1.ReasonSucceeded {
			at = entry.From
		}
		r.Applied = plan.RevisionOf(b, int(ptr.Deref(at, 0)))
	}
	had, seen := l.had[entry.Job]
	if !seen && l.before.Attempt.State != v1alpha1.AttemptPending {
		had = l.before.AppliedRevision.Version
	}
	if had > 0 && had != r.Applied.Version {
		r.Recorded, r.Result = plan.RevisionOf(b, int(had)), string(result.ReasonUnexpectedRevision)
		if had == l.before.AppliedRevision.Version {
			r.Recorded = l.before.AppliedRevision
		}
	}
	if status.Attempt.Job == entry.Job && status.Attempt.State == v1alpha1.AttemptFailed {
		r.Result, r.Message = status.Attempt.Reason, status.Attempt.Message
	}
	return r
}

func (c *verifyCmd) tell(out io.Writer, r verifyReport) error {
	if c.format.machine() {
		if err := c.format.encode(out, r); err != nil {
			return err
		}
	} else {
		r.text(out)
	}
	switch {
	case r.Recorded.Version > 0, r.Message == "" && r.Drift.Count > 0:
		return &exit.Error{Code: result.ExitDrift}
	case r.Message != "":
		return &exit.Error{Code: result.ExitPermanent}
	}
	return nil
}

func (r verifyReport) text(out io.Writer) {
	if r.Recorded.Version > 0 {
		found := "empty, or nothing that is known"
		if r.Applied.Version > 0 {
			found = "revision " + revisionText(r.Applied)
		}
		printf(out, "The database was not where the status had it: revision %s -> %s.\n", revisionText(r.Recorded), found)
	}
	switch {
	case r.Message != "":
		printf(out, "The look has failed, %s: %s\n", r.Result, r.Message)
	case r.Drift.Count > 0:
		printf(out, "The database is at revision %s, and differs from it in %s:\n", revisionText(r.Applied), counted(int(r.Drift.Count), "place"))
		for _, difference := range r.Drift.Differences {
			printf(out, "  %s\n", difference)
		}
	case r.Recorded.Version > 0:
		printf(out, "The operator goes on from there.\n")
	case r.ignored:
		printf(out, "The database is at revision %s. Drift was not looked for: spec.policy.drift is Ignore.\n", revisionText(r.Applied))
	default:
		printf(out, "The database is at revision %s, and is what that leaves.\n", revisionText(r.Applied))
	}
}
