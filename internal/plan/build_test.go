package plan_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/requirement"
	"github.com/schemagate/schemagate/migrations"
)

// openWebUI is the real bundle. What the tests use of it: 0.9.3 needs revision
// 60, 0.9.6 needs 62, 0.10.0 needs 66, 0.11.0 needs 73 and 0.11.1 needs 76.
// Fencing are 59 and 63 (both destructive), 68 and 76; the others from 60 on are
// additive.
var openWebUI = sync.OnceValue(func() *bundle.Bundle {
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		panic(err)
	}
	return b
})

// source is the digest of the database in most tests.
const source = "source"

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// course is one schema and what goes on around it. Its methods change it, or
// let the controller take a turn.
type course struct {
	plan.Observed
	last plan.Decision
}

// given begins with a schema that nobody has looked at.
func given() *course {
	c := &course{Observed: plan.Observed{Schema: &v1alpha1.DatabaseSchema{}, Bundle: openWebUI(), Source: source, Now: start}}
	c.Schema.Namespace, c.Schema.Name, c.Schema.UID, c.Schema.Generation = "default", "open-webui", "uid", 1
	return c
}

// applied is a database that a Job has seen at a revision.
func (c *course) applied(version int32) *course {
	revision, _ := c.Bundle.Revision(int(version))
	s := &c.Schema.Status
	s.Source, s.Birth = source, v1alpha1.BirthPeewee
	s.AppliedRevision = v1alpha1.RevisionStatus{
		Version: version, ID: revision.ID, Name: revision.Name, AppVersion: revision.App.String(),
	}
	s.VerifiedTime = &metav1.Time{Time: start}
	return c
}

func (c *course) birth(birth bundle.Birth) *course {
	c.Schema.Status.Birth = v1alpha1.Birth(birth)
	return c
}

// spec edits the spec.
func (c *course) spec(edit func(*v1alpha1.DatabaseSchemaSpec)) *course {
	edit(&c.Schema.Spec)
	c.Schema.Generation++
	return c
}

func (c *course) suspend(is bool) *course {
	return c.spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Suspend = &is })
}

func (c *course) toRevision(ref v1alpha1.RevisionRef) *course {
	return c.spec(func(s *v1alpha1.DatabaseSchemaSpec) {
		s.Target = v1alpha1.Target{Type: v1alpha1.TargetRevision, Revision: ref}
	})
}

func (c *course) toApp(app v1alpha1.AppVersion) *course {
	return c.spec(func(s *v1alpha1.DatabaseSchemaSpec) {
		s.Target = v1alpha1.Target{Type: v1alpha1.TargetAppVersion, AppVersion: app}
	})
}

func (c *course) strategy(strategy v1alpha1.RolloutStrategy) *course {
	return c.spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Rollout.Strategy = strategy })
}

func (c *course) downgrade(policy v1alpha1.DowngradePolicy) *course {
	return c.spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Policy.Downgrade = policy })
}

// destroy lets revisions be applied that destroy data.
func (c *course) destroy() *course {
	return c.spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Policy.Destructive = v1alpha1.DestructiveAllow })
}

func (c *course) overlay(app v1alpha1.AppVersion, revision v1alpha1.RevisionRef) *course {
	return c.spec(func(s *v1alpha1.DatabaseSchemaSpec) {
		s.Migrations.Releases = append(s.Migrations.Releases, v1alpha1.Release{App: app, Revision: revision})
	})
}

func (c *course) annotate(name, value string) *course {
	metav1.SetMetaDataAnnotation(&c.Schema.ObjectMeta, name, value)
	return c
}

// gated and running replace the pods of that kind by pods with these image tags.
func (c *course) gated(tags ...string) *course   { return c.pods(true, tags) }
func (c *course) running(tags ...string) *course { return c.pods(false, tags) }

func (c *course) pods(gated bool, tags []string) *course {
	var kept []plan.Pod
	for _, pod := range c.Pods {
		if pod.Gated != gated {
			kept = append(kept, pod)
		}
	}
	for i, tag := range tags {
		pod := simPod{name: fmt.Sprintf("pod-%t-%d", gated, i), tag: tag}
		need, err := requirement.Of(pod.object())
		kept = append(kept, plan.Pod{Name: pod.name, Gated: gated, Requirement: need, Unknown: err})
	}
	c.Pods = kept
	return c
}

// with changes anything else.
func (c *course) with(change func(*course)) *course {
	change(c)
	return c
}

func (c *course) after(pause time.Duration) *course {
	c.Now = c.Now.Add(pause)
	if !c.isOpen() {
		c.HeldFor += pause
	}
	return c
}

// isOpen reports whether the recorded status holds no pod.
func (c *course) isOpen() bool {
	return !apimeta.IsStatusConditionFalse(c.Schema.Status.Conditions, v1alpha1.ConditionGateOpen)
}

// turn is a reconciliation whose status is written.
func (c *course) turn() *course {
	c.last = plan.Next(c.Observed)
	status := c.last.Status
	gate := metav1.Condition{Type: v1alpha1.ConditionGateOpen, Status: metav1.ConditionFalse, LastTransitionTime: metav1.NewTime(c.Now)}
	if status.Gate.State == v1alpha1.GateOpen {
		gate.Status = metav1.ConditionTrue
	}
	for _, before := range c.Schema.Status.Conditions {
		if before.Status == gate.Status {
			gate.LastTransitionTime = before.LastTransitionTime
		}
	}
	if c.isOpen() || gate.Status == metav1.ConditionTrue {
		c.HeldFor = 0
	}
	status.Conditions = []metav1.Condition{gate}
	c.Schema = c.Schema.DeepCopy()
	c.Schema.Status = status
	return c
}

// job is the Job of the attempt as the controller has created it.
func (c *course) job() *course {
	c.Job = &migrationjob.Run{
		Name: c.Schema.Status.Attempt.Job, Decision: c.Schema.Status.Attempt.Decision,
		Suspended: true,
	}
	return c
}

// runs lets it run; noJob is what TTL and people leave of it.
func (c *course) runs() *course {
	c.job()
	c.Job.Suspended, c.Job.PodsLeft = false, 1
	c.Job.StartTime = &metav1.Time{Time: c.Now}
	return c
}

func (c *course) noJob() *course {
	c.Job = nil
	return c
}

// ends is the end of the Job, with or without a result.
func (c *course) ends(res *result.Result) *course {
	c.runs()
	c.Job.State, c.Job.PodsLeft, c.Job.Result = migrationjob.Failed, 0, res
	if res != nil && res.Outcome == result.Done {
		c.Job.State = migrationjob.Succeeded
	}
	c.Job.FinishTime = &metav1.Time{Time: c.Now}
	return c
}

// prepared is a fencing or other plan whose Job waits to be started.
func (c *course) prepared() *course { return c.turn().job() }

// stamped gives every waiting pod the mark of the hold.
func (c *course) stamped() *course {
	for i := range c.Pods {
		if c.Pods[i].Gated {
			c.Pods[i].Hold = c.Schema.Status.Attempt.Job
		}
	}
	return c
}

// done, refused and failed are results of a Job on a database of Peewee's birth.
func done(from, to int) *result.Result {
	return &result.Result{Outcome: result.Done, From: from, To: to, Birth: string(bundle.BirthPeewee), Applied: max(to-from, from-to)}
}

func refused(reason result.Reason, at int) *result.Result {
	return failed(result.Refused, reason, at, at)
}

func failed(outcome result.Outcome, reason result.Reason, from, to int) *result.Result {
	res := &result.Result{Outcome: outcome, Reason: reason, From: from, To: to, Applied: max(to-from, from-to), Failure: &result.Failure{}}
	if to > 0 {
		res.Birth = string(bundle.BirthPeewee)
	}
	return res
}

// want is what a decision is compared with: the action, the verdict, the
// reason, the gate with what it serves, and the attempt.
type want struct {
	action  plan.Action
	verdict plan.Verdict
	reason  string
	// gate is "Open 60-62", "Held", or "Held for a plan".
	gate string
	// attempt is "", or its number, way and state, as in "2: 60-66 Pending".
	attempt string
}

func seen(next plan.Decision) want {
	w := want{action: next.Action, verdict: next.Verdict, reason: next.Reason, gate: string(next.Status.Gate.State)}
	switch {
	case next.Status.Gate.State == v1alpha1.GateOpen:
		w.gate += fmt.Sprintf(" %d-%d", next.Status.Serves.From, next.Status.Serves.To)
	case next.Status.Gate.Decision != "":
		w.gate += " for a plan"
	}
	if a := next.Status.Attempt; a.Number > 0 {
		from := "?"
		if a.From != nil {
			from = fmt.Sprint(*a.From)
		}
		w.attempt = fmt.Sprintf("%d: %s-%d %s", a.Number, from, a.To, a.State)
	}
	return w
}

// wants compares the last decision.
func (c *course) wants(t *testing.T, w want) {
	t.Helper()
	if got := seen(c.last); got != w {
		t.Errorf("the decision is\n%+v, want\n%+v\n%s", got, w, c.last.Message)
	}
}
