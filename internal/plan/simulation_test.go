package plan_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/plan"
)

// How much is simulated. A history that fails is repeated by its seed alone.
const (
	histories uint64 = 1500
	shards    uint64 = 4
	steps            = 120
)

// TestSimulation goes through histories of a small world at random and checks
// after every step what must always hold; then lets the world calm down and
// checks that it comes to rest where the status is true.
func TestSimulation(t *testing.T) {
	t.Parallel()
	for shard := range shards {
		t.Run(strconv.FormatUint(shard, 10), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < histories; seed += shards {
				simulate(t, seed)
			}
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	t.Helper()
	w := newWorld(seed)
	w.logf("seed %d", seed)
	defer func() {
		switch found := recover().(type) {
		case nil:
		case breach:
			t.Fatalf("%s\n%s", found.text, found.trace)
		default:
			panic(found)
		}
	}()
	for range steps {
		w.step()
		w.noCronJob = w.rng.IntN(4) == 0
		w.remember()
	}
	w.calmDown()
}

// step is one thing that happens.
func (w *world) step() {
	switch n := w.rng.IntN(100); {
	case n < 40:
		w.operators[0].reconcile(w)
	case n < 58:
		w.job()
	case n < 66:
		w.operators[0].gates(w)
	case n < 70:
		w.landOne()
	case n < 75:
		w.workload()
	case n < 77:
		w.help()
	case n < 83:
		w.endPods()
	case n < 89:
		w.now = w.now.Add(pick(w, time.Second, 3*time.Second, time.Minute))
	case n < 92:
		w.expire()
	case n < 95:
		w.editOne()
	case n < 97:
		w.annotateOne()
	case n < 98:
		w.tamper()
	default:
		w.logf("the operator is started again")
		w.operators[0].restart(w)
	}
	w.alone()
}

func (w *world) landOne() {
	if len(w.patches) > 0 {
		i := w.rng.IntN(len(w.patches))
		w.land(w.patches[i])
		w.patches = slices.Delete(w.patches, i, i+1)
	}
}

// workload creates or deletes a pod, or replaces all of them.
func (w *world) workload() {
	tag := tagOf(1 + w.rng.IntN(len(w.bundle.Revisions)))
	switch w.rng.IntN(7) {
	case 6:
		// A rollout: what is there is to be replaced.
		for i := range w.pods {
			w.pods[i].superseded = true
		}
		w.admit(tag)
		w.logf("it replaces the others")
	case 0, 1:
		w.admit(tag)
	case 2:
		w.admit(pick(w, tag, "main"))
	case 3:
		for i := range w.pods {
			w.terminate(&w.pods[i])
		}
		w.admit(tag)
	default:
		if len(w.pods) > 0 {
			w.terminate(&w.pods[w.rng.IntN(len(w.pods))])
		}
	}
}

func (w *world) terminate(pod *simPod) {
	if !pod.terminating {
		pod.terminating, pod.version = true, w.next()
		w.logf("pod %s is being deleted", pod.name)
	}
}

func (w *world) endPods() {
	w.pods = slices.DeleteFunc(slices.Clone(w.pods), func(p simPod) bool {
		return p.terminating && (w.calm || w.chance(2))
	})
}

func (w *world) editOne() {
	switch w.rng.IntN(10) {
	case 0, 1:
		suspend := w.rng.IntN(2) == 0
		w.edit(fmt.Sprintf("suspend=%t", suspend), func(s *v1alpha1.DatabaseSchemaSpec) { s.Suspend = &suspend })
	case 2, 3:
		ref := pick(w, "0", "1", "2", "3", "4", "5", "6", "7")
		w.edit("target="+ref, func(s *v1alpha1.DatabaseSchemaSpec) {
			s.Target = v1alpha1.Target{Type: v1alpha1.TargetRevision, Revision: v1alpha1.RevisionRef(ref)}
		})
	case 4:
		w.edit("target of the workload", func(s *v1alpha1.DatabaseSchemaSpec) {
			s.Target = v1alpha1.Target{Type: v1alpha1.TargetWorkload}
		})
	case 5:
		strategy := pick(w, v1alpha1.StrategyAuto, v1alpha1.StrategyDrain, v1alpha1.StrategyRolling)
		w.edit("strategy="+string(strategy), func(s *v1alpha1.DatabaseSchemaSpec) { s.Rollout.Strategy = strategy })
	case 6:
		policy := pick(w, v1alpha1.DowngradeForbid, v1alpha1.DowngradeAllow, v1alpha1.DowngradeRequireApproval)
		w.edit("downgrade="+string(policy), func(s *v1alpha1.DatabaseSchemaSpec) { s.Policy.Downgrade = policy })
	case 7:
		policy := pick(w, v1alpha1.DestructiveAllow, v1alpha1.DestructiveRequireApproval)
		w.edit("destructive="+string(policy), func(s *v1alpha1.DatabaseSchemaSpec) { s.Policy.Destructive = policy })
	case 8:
		if w.chance(2) {
			backup := pick(w, "", "backup")
			w.edit("before="+backup, func(s *v1alpha1.DatabaseSchemaSpec) { s.Rollout.Before.CronJob = v1alpha1.ObjectName(backup) })
			return
		}
		source := pick(w, sources...)
		w.edit("database="+source, func(s *v1alpha1.DatabaseSchemaSpec) { s.Database.Host = source })
	default:
		gate := pick(w, v1alpha1.GateEnforced, v1alpha1.GateEnforced, v1alpha1.GateDisabled)
		w.edit("gate="+string(gate), func(s *v1alpha1.DatabaseSchemaSpec) { s.Gate = gate })
	}
}

func (w *world) annotateOne() {
	switch last := w.operators[0].last; {
	case last.Action == plan.RequireApproval:
		w.annotate(v1alpha1.AnnotationApprove, last.Work.Digest)
	case w.chance(2):
		w.annotate(v1alpha1.AnnotationRetry, strconv.Itoa(w.version))
	default:
		w.annotate(v1alpha1.AnnotationVerify, strconv.Itoa(w.version))
	}
}

// tamper is a dump that is restored, or a database that is emptied.
func (w *world) tamper() {
	source := pick(w, sources...)
	w.databases[source] = w.rng.IntN(len(w.bundle.Revisions) + 2)
	w.tampered[source], w.tamperedAt[source] = true, w.next()
	w.logf("the database %s is restored at %d", source, w.databases[source])
	if source == w.source() {
		w.annotate(v1alpha1.AnnotationVerify, strconv.Itoa(w.version))
	}
}

// check is what holds for every decision: it follows from the observation
// alone, and the API server takes its status.
func (w *world) check(observed plan.Observed, next plan.Decision) {
	status := next.Status
	if a := status.Attempt; a.Number != 0 && (a.To < 1 || a.Job == "" || a.Decision == "" || a.Inputs == "" || a.State == "") {
		w.fail("%s (%s): the API server refuses the attempt %+v", next.Action, next.Reason, a)
	}
	if status.Gate.State == "" || (status.Gate.State == v1alpha1.GateHeld) != (status.Serves.From == 0) {
		w.fail("%s (%s): the gate is %+v and serves %+v", next.Action, next.Reason, status.Gate, status.Serves)
	}
	if again := plan.Next(observed); !equality.Semantic.DeepEqual(again, next) {
		w.fail("the same observation leads to another decision: %s", cmp.Diff(next, again))
	}
}

// recorded is the invariant of what is recorded: it is what a Job has seen.
func (w *world) recorded(observed plan.Observed, want v1alpha1.DatabaseSchemaStatus, action plan.Action) {
	if action != plan.Record {
		return
	}
	job := w.ended(observed.Job.UID)
	if job.result != nil && job.lookedAt > w.tamperedAt[job.source] {
		w.tampered[job.source] = false
	}
	before := observed.Schema.Status.VerifiedTime
	if want.VerifiedTime != nil && !want.VerifiedTime.Equal(before) && int(want.AppliedRevision.Version) != job.actual {
		w.fail("the database was at %d when %s ended, and %d is recorded", job.actual, job.name, want.AppliedRevision.Version)
	}
}

// ended returns a Job as it ended, though it has expired since.
func (w *world) ended(uid string) simJob {
	for _, snapshot := range slices.Backward(w.past) {
		for _, job := range snapshot.jobs {
			if job.uid == uid && job.ended {
				return job
			}
		}
	}
	panic("no Job has ended as " + uid)
}

// maxRounds is how long the world may take to come to rest.
const maxRounds = 200

// calmDown ends all disturbances, and checks where the world comes to rest: as
// it is, after a look at the database, and with another attempt.
func (w *world) calmDown() {
	w.calm, w.noCronJob = true, false
	w.logf("the world calms down")
	w.rest()
	for _, annotation := range []string{v1alpha1.AnnotationVerify, v1alpha1.AnnotationRetry} {
		w.annotate(annotation, "last")
		w.rest()
		if w.operators[0].last.Verdict == plan.Ready {
			w.truth(w.operators[0].last)
		}
	}
	if last := w.operators[0].last; w.tampered[w.source()] && last.Verdict == plan.Ready && last.Status.AppliedRevision.Version > 0 {
		w.fail("nobody has looked at the database: %s (%s)", last.Action, last.Reason)
	}
}

// rest waits until nothing changes any more.
func (w *world) rest() {
	for range maxRounds {
		before := w.version
		w.round()
		last := w.operators[0].last
		switch {
		case w.version != before:
		case last.After > 0:
			w.now = w.now.Add(last.After)
		default:
			w.rested()
			return
		}
	}
	w.fail("the world does not come to rest: %s (%s) %s", w.operators[0].last.Action, w.operators[0].last.Reason, w.operators[0].last.Message)
}

// round lets everybody do what there is to do.
func (w *world) round() {
	w.endPods()
	w.expire()
	w.help()
	w.job()
	w.remember()
	w.operators[0].catchUp(w)
	for range len(w.pods) {
		w.operators[0].gates(w)
	}
	for len(w.patches) > 0 {
		w.landOne()
	}
	w.remember()
	if w.operators[0].op != nil {
		w.operators[0].reconcile(w)
		w.remember()
	}
	w.operators[0].reconcile(w)
	w.operators[0].reconcile(w)
	w.remember()
	w.alone()
}

// rested checks a state that nothing changes any more.
func (w *world) rested() {
	last := w.operators[0].last
	if !slices.Contains([]plan.Action{plan.Idle, plan.Stall, plan.RequireApproval, plan.Suspend}, last.Action) {
		w.fail("the world rests at %s (%s) %s", last.Action, last.Reason, last.Message)
	}
	w.operators[0].catchUp(w)
	again := plan.Next(w.operators[0].observe(w))
	if again.Action != last.Action || !recorded(w.schema.Status, again.Status) {
		w.fail("%s is no fixed point: %s\n%s", last.Action, again.Action, cmp.Diff(w.schema.Status, again.Status))
	}
	if !w.tampered[w.source()] {
		w.truth(last)
	}
}

// reasonHolds reports whether a reason is true.
func (w *world) reasonHolds(reason string, at, target, running int) bool {
	switch reason {
	case v1alpha1.ReasonNoWorkload:
		return target == 0
	case v1alpha1.ReasonUpToDate:
		return w.serves(at, target)
	case v1alpha1.ReasonFencingRevisionsPending:
		return running > 0 && at != target && w.schema.Spec.Gate == v1alpha1.GateDisabled
	case v1alpha1.ReasonDrainTimeout:
		return running > 0
	case v1alpha1.ReasonDowngradeRequired:
		return target < at && !w.serves(at, target)
	case v1alpha1.ReasonAwaitingApproval:
		return at != target
	case v1alpha1.ReasonSuspended:
		return ptr.Deref(w.schema.Spec.Suspend, false)
	case "UnexpectedRevision", "FencingRevision", "DestructiveRevision", "DowngradeForbidden":
		return false // The operator can plan again by itself
	}
	return true
}

// truth checks that what is told of the database is so.
func (w *world) truth(last plan.Decision) {
	at, target, running := w.databases[w.source()], int(last.Status.TargetRevision.Version), 0
	for i := range w.pods {
		if !w.pods[i].gated {
			running++
		}
	}
	if !w.reasonHolds(last.Reason, at, target, running) {
		w.fail("%s (%s) %s: the database is at %d, the target is %d, and %d pods run", last.Action, last.Reason, last.Message, at, target, running)
	}
	status := last.Status
	for required := status.Serves.From; required > 0 && required <= status.Serves.To; required++ {
		if !w.serves(at, int(required)) {
			w.fail("%s (%s): pods of revision %d are let through, and the database is at %d", last.Action, last.Reason, required, at)
		}
	}
	if status.Gate.State == v1alpha1.GateHeld && last.Verdict == plan.Ready && target != 0 {
		w.fail("%s (%s), and the gate is held: %+v", last.Action, last.Reason, status.Gate)
	}
}
