package plan_test

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/requirement"
)

// operator is one operator process: what it sees and what it keeps in memory.
type operator struct {
	// seen are the snapshots that the caches show. Each goes its own pace, and
	// forward only.
	seenSchema, seenJobs, seenPods int

	// held and since are what the process knows of its own holds.
	held  bool
	since int

	// hold is the one that the process saw in force last, and holdSeen when it
	// saw it first.
	hold     string
	holdSeen time.Time

	// op is what a reconciliation has decided to do and has not done yet.
	op *pending
	// last is what was decided last.
	last plan.Decision
}

// pending is what a reconciliation has seen and decided.
type pending struct {
	observed plan.Observed
	next     plan.Decision
}

// restart is a new process. Its cache of schemas begins with the newest state,
// as a streamed list does; the others may lag behind from the beginning.
func (o *operator) restart(w *world) {
	w.remember()
	newest := len(w.past) - 1
	lag := func() int { return max(0, newest-w.rng.IntN(4)) }
	*o = operator{seenSchema: newest, seenJobs: lag(), seenPods: lag()}
}

// catchUp lets the caches hear of something.
func (o *operator) catchUp(w *world) {
	if w.model {
		return // An event of its own.
	}
	newest := len(w.past) - 1
	for _, seen := range []*int{&o.seenSchema, &o.seenJobs, &o.seenPods} {
		if w.calm {
			*seen = newest
			continue
		}
		*seen = max(*seen, newest-3)
		*seen += w.rng.IntN(newest - *seen + 1)
	}
}

func (p simPod) object() *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Name = p.name
	pod.Spec.Containers = []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: "app:" + p.tag}}
	return pod
}

// heldFor is how long the process has seen a hold in force.
func (o *operator) heldFor(w *world, schema *v1alpha1.DatabaseSchema) time.Duration {
	hold := ""
	if gate := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionGateOpen); gate != nil && gate.Status == metav1.ConditionFalse {
		hold = schema.Status.Attempt.Job + gate.LastTransitionTime.String()
	}
	if hold != o.hold {
		o.hold, o.holdSeen = hold, w.now
	}
	if hold == "" {
		return 0
	}
	return w.now.Sub(o.holdSeen)
}

// observe is what the controller reads.
func (o *operator) observe(w *world) plan.Observed {
	schema := w.past[o.seenSchema].schema
	observed := plan.Observed{Schema: schema, Bundle: w.bundle, Source: schema.Spec.Database.Host, Elder: w.elder, Now: w.now}
	for _, job := range w.past[o.seenJobs].jobs {
		run := job.run()
		switch {
		case job.deleted:
			observed.PodsLeft += run.PodsLeft
		case job.name == schema.Status.Attempt.Job:
			observed.Job = &run
		default:
			observed.PodsLeft += run.PodsLeft
			if !run.Ended() && run.Result == nil {
				observed.Strays = append(observed.Strays, run)
			}
		}
	}
	observed.HeldFor = o.heldFor(w, schema)
	observed.Helpers, observed.CronJobMissing = slices.Clone(w.helpers), w.noCronJob
	observed.Fresh = schema.Status.Gate.Decision != "" && schema.Status.Attempt.State == v1alpha1.AttemptPending &&
		observed.Job != nil && observed.Job.Suspended
	pods := w.past[o.seenPods].pods
	if observed.Fresh {
		pods = w.pods
	}
	for i := range pods {
		need, err := requirement.Of(pods[i].object())
		observed.Pods = append(observed.Pods, plan.Pod{
			Name: pods[i].name, UID: pods[i].name, Created: pods[i].created, Image: "app:" + pods[i].tag, Superseded: pods[i].superseded,
			Admitted: pods[i].admitted,
			Gated:    pods[i].gated, Terminating: pods[i].terminating, Hold: pods[i].hold,
			Requirement: need, Unknown: err,
		})
	}
	return observed
}

func (j *simJob) run() migrationjob.Run {
	run := migrationjob.Run{
		Name: j.name, UID: j.uid, ResourceVersion: strconv.Itoa(j.version), Decision: j.decision,
		Suspended: j.suspended, Result: j.result, FailureReason: j.failure,
	}
	if j.ended {
		run.State = migrationjob.Failed
		if j.result != nil && j.result.Outcome == "done" {
			run.State = migrationjob.Succeeded
		}
	}
	switch {
	case j.lost && j.pod:
		run.Overdue = 1
	case j.pod && !j.suspended:
		run.PodsLeft = 1
	}
	return run
}

// reconcile is one reconciliation, cut where a crash can come in between: it
// decides, and leaves the one write that follows for later.
func (o *operator) reconcile(w *world) {
	if o.op != nil {
		op := o.op
		o.op = nil
		o.carryOut(w, op.observed, op.next)
		return
	}
	o.catchUp(w)
	observed := o.observe(w)
	next := plan.Next(observed)
	o.last = next
	w.check(observed, next)
	o.op = &pending{observed: observed, next: next}
}

// carryOut is what the controller does after it has decided.
func (o *operator) carryOut(w *world, observed plan.Observed, next plan.Decision) {
	if (next.Action != plan.Idle || len(next.Evict) > 0) && recorded(observed.Schema.Status, next.Status) {
		w.evict(next.Evict)
		o.act(w, observed, next)
	}
	o.finish(w, observed, next)
}

// recorded is what the controller takes for recorded.
func recorded(have, want v1alpha1.DatabaseSchemaStatus) bool {
	for _, status := range []*v1alpha1.DatabaseSchemaStatus{&have, &want} {
		status.Conditions, status.WaitingPods, status.Gate.Reason = nil, nil, ""
	}
	return equality.Semantic.DeepEqual(have, want)
}

// act is the write that carries a decision out.
func (o *operator) act(w *world, observed plan.Observed, next plan.Decision) {
	schema := observed.Schema
	switch next.Action {
	case plan.Discard:
		for _, stray := range next.Strays {
			w.discard(stray)
		}
	case plan.Help:
		w.createHelper(*next.Helper)
	case plan.Prepare:
		w.create(schema, next.Work)
	case plan.Drain:
		w.stamp(schema.Status.Attempt)
	case plan.StartJob:
		w.start(*observed.Job)
	default:
	}
}

// finish writes the status, unless somebody else was faster.
func (o *operator) finish(w *world, observed plan.Observed, next plan.Decision) {
	schema := observed.Schema
	want := next.Status
	want.Conditions = gateCondition(w, schema, want)
	open := want.Gate.State == v1alpha1.GateOpen || schema.Spec.Gate == v1alpha1.GateDisabled
	if !open || want.Serves != schema.Status.Serves {
		o.held = true
	}
	version := schema.ResourceVersion
	if !equality.Semantic.DeepEqual(schema.Status, want) {
		if version != w.schema.ResourceVersion {
			w.logf("conflict: %s (%s)", next.Action, next.Reason)
			return
		}
		w.recorded(observed, want, next.Action)
		w.write(fmt.Sprintf("%s (%s): applied %d, target %d, serves %d-%d, gate %s %s, attempt %d %s %s", next.Action, next.Reason,
			want.AppliedRevision.Version, want.TargetRevision.Version, want.Serves.From, want.Serves.To,
			want.Gate.State, want.Gate.Decision, want.Attempt.Number, want.Attempt.State, want.Attempt.Job),
			func(s *v1alpha1.DatabaseSchema) { s.Status = want })
		version = w.schema.ResourceVersion
	}
	if open && o.held {
		o.held, o.since = false, number(version)
	}
}

func number(version string) int {
	n, err := strconv.Atoi(version)
	if err != nil {
		panic(err)
	}
	return n
}

// gateCondition keeps what the settling of a hold is measured by.
func gateCondition(w *world, schema *v1alpha1.DatabaseSchema, status v1alpha1.DatabaseSchemaStatus) []metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionGateOpen, Status: metav1.ConditionFalse, LastTransitionTime: metav1.NewTime(w.now.Truncate(time.Second)),
	}
	if status.Gate.State == v1alpha1.GateOpen || schema.Spec.Gate == v1alpha1.GateDisabled {
		condition.Status = metav1.ConditionTrue
	}
	if before := apimeta.FindStatusCondition(schema.Status.Conditions, condition.Type); before != nil && before.Status == condition.Status {
		condition.LastTransitionTime = before.LastTransitionTime
	}
	return []metav1.Condition{condition}
}

// gates lets the controller of gates look at one pod. Its patch arrives later.
func (o *operator) gates(w *world) {
	pods := w.past[o.seenPods].pods
	if len(pods) == 0 {
		return
	}
	o.decideGate(w, pods[w.rng.IntN(len(pods))])
}

// decideGate looks at one pod as the cache shows it.
func (o *operator) decideGate(w *world, pod simPod) {
	schema := w.past[o.seenSchema].schema
	if w.bug == bugReleaseBeforeRecord && o.op != nil {
		schema = schema.DeepCopy()
		schema.Status = o.op.next.Status
	}
	if !pod.gated || pod.terminating || o.held || number(schema.ResourceVersion) < o.since {
		return
	}
	if plan.Release(schema, w.bundle, pod.object()).Allowed {
		w.patches = append(w.patches, patch{
			decided: w.version, name: pod.name, version: pod.version, required: w.required(schema, pod.tag), source: schema.Spec.Database.Host, open: schema.Spec.Gate == v1alpha1.GateDisabled || w.tampered[schema.Spec.Database.Host],
		})
	}
}

func (w *world) create(schema *v1alpha1.DatabaseSchema, work *plan.Work) {
	attempt := schema.Status.Attempt
	if slices.ContainsFunc(w.jobs, func(j simJob) bool { return j.name == attempt.Job && !j.deleted }) {
		return
	}
	w.created++
	w.jobs = append(w.jobs, simJob{
		name: attempt.Job, decision: attempt.Decision, source: schema.Spec.Database.Host,
		uid: strconv.Itoa(w.created), version: w.next(), suspended: w.bug != bugNotSuspended, pod: true,
		target: work.To, expect: work.From, fencing: work.RefuseFencing, destructive: work.RefuseDestructive, downgrade: work.Downgrade,
		rolling: schema.Spec.Rollout.Strategy == v1alpha1.StrategyRolling,
	})
	w.logf("%s is created for %d", attempt.Job, work.To)
}

func (w *world) start(run migrationjob.Run) {
	for i := range w.jobs {
		if j := &w.jobs[i]; j.uid == run.UID && strconv.Itoa(j.version) == run.ResourceVersion && !j.deleted {
			j.suspended, j.version = false, w.next()
			w.logf("%s is started", j.name)
			w.alone()
		}
	}
}

func (w *world) discard(run migrationjob.Run) {
	if i := slices.IndexFunc(w.helpers, func(h plan.HelperRun) bool { return h.Name == run.Name }); i >= 0 {
		w.helpers = slices.Delete(slices.Clone(w.helpers), i, i+1)
		w.next()
	}
	for i := range w.jobs {
		if j := &w.jobs[i]; j.uid == run.UID && strconv.Itoa(j.version) == run.ResourceVersion {
			j.deleted, j.version = true, w.next()
			if j.suspended {
				j.pod = false
			}
			w.logf("%s is deleted", j.name)
		}
	}
}

func (w *world) createHelper(helper plan.Helper) {
	if !slices.ContainsFunc(w.helpers, func(run plan.HelperRun) bool { return run.Name == helper.Name }) {
		w.helpers = append(w.helpers, plan.HelperRun{Name: helper.Name, State: migrationjob.Active})
		w.version++
		w.logf("%s for %s %s is created", helper.Name, helper.Kind, helper.Subject)
	}
}

// help lets what goes before a migration come to something, or expire.
func (w *world) help() {
	if len(w.helpers) == 0 {
		return
	}
	i := w.rng.IntN(len(w.helpers))
	if unsettled := slices.IndexFunc(w.helpers, func(run plan.HelperRun) bool { return run.State == migrationjob.Active }); w.calm && unsettled >= 0 {
		i = unsettled
	}
	run := &w.helpers[i]
	switch {
	case run.State != migrationjob.Active && !w.calm:
		w.helpers = slices.Delete(w.helpers, i, i+1)
	case run.State == migrationjob.Active && !w.calm && w.chance(3):
		run.State = migrationjob.Failed
		w.version++
	case run.State == migrationjob.Active:
		run.State, run.Waiting = migrationjob.Succeeded, nil
		w.version++
	}
}

func (w *world) evict(pods []plan.Eviction) {
	for _, eviction := range pods {
		for i := range w.pods {
			if w.pods[i].name == eviction.UID {
				if w.schema.Status.Gate.Decision == "" && !w.pods[i].open && plan.Release(w.schema, w.bundle, w.pods[i].object()).Allowed {
					w.fail("pod %s is deleted though it is served", w.pods[i].name)
				}
				w.terminate(&w.pods[i])
			}
		}
	}
}

func (w *world) stamp(attempt v1alpha1.Attempt) {
	for i := range w.pods {
		if pod := &w.pods[i]; pod.gated && pod.hold != attempt.Job {
			pod.hold = attempt.Job
			if w.bug != bugNoStamp {
				pod.version = w.next()
			}
		}
	}
	w.logf("the waiting pods are stamped")
}
