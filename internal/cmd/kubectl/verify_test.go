package kubectl

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// mark is what is asked with in these tests.
const mark = "2026-03-01T12:00:00Z"

// attempted is a change of the status: an attempt at a database from a revision to
// another, or at one that is not known.
func attempted(number int64, from *int32, to int32, state v1alpha1.AttemptState) func(*v1alpha1.DatabaseSchema) {
	return func(s *v1alpha1.DatabaseSchema) {
		s.Status.LastHandledVerify = mark
		s.Status.Attempt = v1alpha1.Attempt{Number: number, Job: fmt.Sprint("job-", number), From: from, To: to, State: state}
		if state == v1alpha1.AttemptFailed {
			s.Status.Attempt.Reason, s.Status.Attempt.Message = "UnknownDatabase", "It is another one."
		}
	}
}

// remembered adds what a Job has done to the history.
func remembered(number int64, from, to int32, outcome string) func(*v1alpha1.DatabaseSchema) {
	return func(s *v1alpha1.DatabaseSchema) {
		entry := v1alpha1.HistoryEntry{Job: fmt.Sprint("job-", number), From: &from, To: &to, Result: outcome}
		s.Status.History = append([]v1alpha1.HistoryEntry{entry}, s.Status.History...)
	}
}

// at sets where the status has the database; 0 is nowhere.
func at(t *testing.T, version int) func(*v1alpha1.DatabaseSchema) {
	t.Helper()
	revision := v1alpha1.RevisionStatus{}
	if version > 0 {
		revision = revisionOf(t, version)
	}
	return func(s *v1alpha1.DatabaseSchema) { s.Status.AppliedRevision = revision }
}

// stalls has the schema be Stalled.
func stalls(reason, message string) func(*v1alpha1.DatabaseSchema) {
	return func(s *v1alpha1.DatabaseSchema) {
		s.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message},
			{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: reason, Message: message},
		}
	}
}

// TestLook: what verify says and ends with, by what it reads one time after another.
func TestLook(t *testing.T) {
	t.Parallel()
	type read = []func(*v1alpha1.DatabaseSchema)
	const (
		pending, succeeded = v1alpha1.AttemptPending, v1alpha1.AttemptSucceeded
		failed, lost       = v1alpha1.AttemptFailed, v1alpha1.AttemptLost
		waits              = -1
	)
	r60, r62 := new(int32(60)), new(int32(62))
	for name, tc := range map[string]struct {
		reads []read // each goes on from the one before
		code  int
		says  string
	}{
		"where it was": {
			reads: []read{nil, {attempted(4, r60, 60, pending)}, {attempted(4, r60, 60, succeeded), remembered(4, 60, 60, "Succeeded")}},
			says:  "The database is at revision 60 (a0b1c2d3e4f5, release 0.9.3), and is what that leaves.\n",
		},
		"not answered":          {reads: []read{nil}, code: waits},
		"under way":             {reads: []read{{attempted(4, r60, 60, pending)}}, code: waits},
		"an old one has ended":  {reads: []read{{func(s *v1alpha1.DatabaseSchema) { s.Status.LastHandledRetry = "x" }}}, code: waits},
		"tried again":           {reads: []read{{attempted(4, r60, 60, lost), remembered(4, 60, 60, "JobLost")}}, code: waits},
		"tried again with luck": {reads: []read{{attempted(4, r60, 60, lost), remembered(4, 60, 60, "JobLost")}, {attempted(5, r60, 60, succeeded), remembered(5, 60, 60, "Succeeded")}}, says: "at revision 60"},
		"the plan has changed":  {reads: []read{{attempted(4, r60, 60, v1alpha1.AttemptAbandoned)}}, code: waits},
		"one was under way": {
			reads: []read{
				{func(s *v1alpha1.DatabaseSchema) {
					attempted(4, r60, 62, pending)(s)
					s.Status.LastHandledVerify = ""
				}},
				{at(t, 62), attempted(5, r62, 62, pending), remembered(4, 60, 62, "Succeeded")},
			},
			code: waits,
		},
		"one was under way, and both have ended": {
			reads: []read{
				{func(s *v1alpha1.DatabaseSchema) {
					attempted(4, r60, 62, pending)(s)
					s.Status.LastHandledVerify = ""
				}},
				{at(t, 62), attempted(5, r62, 62, succeeded), remembered(4, 60, 62, "Succeeded"), remembered(5, 62, 62, "Succeeded")},
			},
			says: "The database is at revision 62",
		},
		"at another revision": {
			reads: []read{{attempted(4, r60, 60, pending)}, {at(t, 55), attempted(4, r60, 60, succeeded), remembered(4, 55, 55, "Succeeded")}},
			code:  result.ExitDrift,
			says: "The database was not where the status had it: revision 60 (a0b1c2d3e4f5, release 0.9.3) -> revision 55 (b7c8d9e0f1a2, release 0.9.0).\n" +
				"The operator goes on from there.\n",
		},
		"at another one, and migrated since": {
			reads: []read{{at(t, 60), attempted(5, new(int32(55)), 60, succeeded), remembered(4, 55, 55, "Succeeded"), remembered(5, 55, 60, "Succeeded")}},
			code:  result.ExitDrift, says: "-> revision 55 ",
		},
		"at another one, by the history": {
			reads: []read{{at(t, 55), attempted(5, new(int32(55)), 60, pending), remembered(4, 55, 60, "UnexpectedRevision")}},
			code:  result.ExitDrift, says: "-> revision 55 ",
		},
		"empty": {
			reads: []read{{attempted(4, r60, 60, pending)}, {at(t, 0), attempted(4, r60, 60, succeeded), remembered(4, 0, 0, "Succeeded")}},
			code:  result.ExitDrift, says: "release 0.9.3) -> empty, or nothing that is known.\n",
		},
		"empty, and looked at again": {
			reads: []read{{at(t, 0), attempted(5, nil, 60, pending), remembered(4, 0, 0, "Succeeded")}},
			code:  result.ExitDrift, says: "release 0.9.3) -> empty, or nothing that is known.\n",
		},
		"another database": {
			reads: []read{{at(t, 0), attempted(4, r60, 60, failed), remembered(4, 0, 60, "UnknownDatabase")}},
			code:  result.ExitDrift, says: "-> empty, or nothing that is known.\nThe look has failed, UnknownDatabase: It is another one.\n",
		},
		"failed": {
			reads: []read{{attempted(4, r60, 60, failed), remembered(4, 0, 60, "UnknownDatabase")}},
			code:  result.ExitPermanent, says: "The look has failed, UnknownDatabase: It is another one.\n",
		},
		"a first look": {
			reads: []read{{at(t, 0)}, {attempted(4, nil, 60, pending)}, {at(t, 60), attempted(4, new(int32(12)), 60, succeeded), remembered(4, 12, 60, "Succeeded")}},
			says:  "The database is at revision 60",
		},
		"drifted": {
			reads: []read{{attempted(4, r60, 60, succeeded), remembered(4, 60, 60, "Succeeded"), func(s *v1alpha1.DatabaseSchema) {
				s.Status.Drift = v1alpha1.DriftStatus{Count: 1, Differences: []string{"index x is missing"}}
			}}},
			code: result.ExitDrift, says: "differs from it in 1 place:\n  index x is missing\n",
		},
		"nobody looks": {
			reads: []read{nil, {func(s *v1alpha1.DatabaseSchema) {
				s.Status.LastHandledVerify = mark
				s.Status.Conditions[0].Message = "No labeled pod needs a revision."
			}}},
			code: result.ExitPermanent, says: "nobody looks at a database while no pod needs a revision: No labeled pod needs a revision.",
		},
		"shared":           {reads: []read{{stalls("DatabaseShared", "Delete one.")}}, code: result.ExitPermanent, says: "DatabaseShared: Delete one."},
		"wrong releases":   {reads: []read{{stalls("InvalidReleases", "Correct it.")}}, code: result.ExitPermanent, says: "InvalidReleases: Correct it."},
		"unknown release":  {reads: []read{{stalls("UnknownAppVersion", "Correct it.")}}, code: result.ExitPermanent, says: "UnknownAppVersion: Correct it."},
		"unknown revision": {reads: []read{{stalls("UnknownRevision", "Correct it.")}}, code: result.ExitPermanent, says: "UnknownRevision: Correct it."},
		"shared since":     {reads: []read{{attempted(4, r60, 60, lost)}, {stalls("DatabaseShared", "Delete one.")}}, code: result.ExitPermanent, says: "DatabaseShared: Delete one."},
		"failed before":    {reads: []read{{stalls("SQLError", "A statement failed.")}}, code: waits},
		"corrected": {
			reads: []read{{stalls("InvalidReleases", "Correct it."), func(s *v1alpha1.DatabaseSchema) { s.Generation++ }}}, code: waits,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newView(t)
			attempted(3, r60, 60, succeeded)(v.schema)
			remembered(3, 60, 60, "Succeeded")(v.schema)
			v.schema.Status.LastHandledVerify = "before"
			l := newLook(v.schema.DeepCopy(), mark)
			var over bool
			var err error
			for i, changes := range tc.reads {
				if over || err != nil {
					t.Fatalf("it ends before read %d: %t, %v", i, over, err)
				}
				for _, change := range changes {
					change(v.schema)
				}
				over, err = l.take(v.schema.DeepCopy())
			}
			if tc.code == waits || !over {
				if over || err != nil || tc.code != waits {
					t.Errorf("it has ended: %t, %v", over, err)
				}
				return
			}
			var out bytes.Buffer
			if err == nil {
				err = (&verifyCmd{}).tell(&out, l.report(v.bundle))
			} else {
				out.WriteString(err.Error())
			}
			if code := exit.Code(err); code != tc.code || !strings.Contains(out.String(), tc.says) {
				t.Errorf("it ends with %d, want %d, and says:\n%s", code, tc.code, out.String())
			}
		})
	}
}
