package plan_test

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/plan"
)

// bug is something that a controller around the planner could do wrong, and that
// the search has to find.
type bug string

const (
	// bugReleaseBeforeRecord opens gates by what is decided and not recorded.
	bugReleaseBeforeRecord bug = "a gate is opened before its decision is recorded"

	// bugNotSuspended creates Jobs that run at once.
	bugNotSuspended bug = "the Job is not suspended"

	// bugUnnoticed goes on deciding after another process has taken over.
	bugUnnoticed bug = "a leader that was frozen does not notice"

	// bugNoStamp holds without giving the pods that wait another resourceVersion.
	bugNoStamp bug = "a hold does not touch the pods that wait"
)

// depth is how many events the search goes through, in every order, from each
// state of the course of a migration.
const depth = 4

// courses are what the search begins with: an upgrade across a breaking revision,
// with a new pod that waits.
var courses = map[string]func(*world){
	"an old pod runs": func(w *world) { w.admit(tagOf(2)) },
	// Whoever froze at this point may thaw at any later one.
	"another leader is about to open the gate of an old pod": func(w *world) {
		w.pods = append(w.pods, simPod{name: "late", tag: tagOf(2), version: w.next(), gated: true})
		w.hear(1)
		w.operators[1].decideGate(w, w.pods[0])
	},
	"another leader is about to decide": func(w *world) {
		w.admit(tagOf(2))
		w.hear(1)
		w.operators[1].reconcile(w)
	},
}

func modelWorld(mistake bug, prepare func(*world)) *world {
	w := newWorld(1)
	w.model, w.bug = true, mistake
	w.databases = map[string]int{sources[0]: 2}
	w.edit("no data is lost", func(s *v1alpha1.DatabaseSchemaSpec) { s.Policy.Destructive = v1alpha1.DestructiveAllow })
	w.write("an upgrade begins", func(s *v1alpha1.DatabaseSchema) {
		c := given()
		c.Bundle = w.bundle
		c.applied(2).birth("alembic")
		s.Status = c.Schema.Status
		s.Status.Source = sources[0]
	})
	w.operators = make([]operator, 2)
	for i := range w.operators {
		w.restart(i)
	}
	w.turn(0)
	prepare(w)
	w.pods[0].created = w.now.Add(-time.Hour)
	w.admit(tagOf(3))
	w.remember()
	return w
}

// restart is a new process with caches that show what there is.
func (w *world) restart(i int) {
	w.remember()
	newest := len(w.past) - 1
	w.operators[i] = operator{seenSchema: newest, seenJobs: newest, seenPods: newest}
}

// turn lets an operator hear of everything, decide, and carry it out.
func (w *world) turn(i int) {
	w.hear(i)
	w.operators[i].reconcile(w)
	w.operators[i].reconcile(w)
	w.remember()
}

// hear brings the caches of an operator up to date.
func (w *world) hear(i int) {
	w.remember()
	newest := len(w.past) - 1
	o := &w.operators[i]
	o.seenSchema, o.seenJobs, o.seenPods = newest, newest, newest
}

// clone copies what is changed in place. Snapshots and schemas never are.
func (w *world) clone() *world {
	c := *w
	c.jobs, c.pods, c.patches, c.helpers = slices.Clone(w.jobs), slices.Clone(w.pods), slices.Clone(w.patches), slices.Clone(w.helpers)
	c.past, c.trace = slices.Clip(w.past), slices.Clip(w.trace)
	c.operators = slices.Clone(w.operators)
	c.databases = maps.Clone(w.databases)
	return &c
}

// happening is one thing that can happen next.
type happening struct {
	name string
	do   func(*world)
}

// happenings lists everything that can happen in a state.
func (w *world) happenings() []happening {
	return slices.Concat(w.ofOperators(), w.ofJobs(), w.ofWorkload())
}

func (w *world) ofOperators() []happening {
	var out []happening
	add := func(name string, do func(*world)) { out = append(out, happening{name, do}) }
	for i := range w.operators {
		o, who := &w.operators[i], fmt.Sprintf("operator %d ", i)
		if o.op != nil || w.leads(i) {
			add(who+"goes on", func(w *world) { w.operators[i].reconcile(w) })
		}
		if o.op != nil {
			add(who+"loses its write", func(w *world) { w.operators[i].op = nil })
		}
		if newest := len(w.past) - 1; o.seenSchema != newest || o.seenJobs != newest || o.seenPods != newest {
			add(who+"hears of everything", func(w *world) { w.hear(i) })
			add(who+"hears of the pods", func(w *world) { w.operators[i].seenPods = newest })
			add(who+"hears of the schema", func(w *world) { w.operators[i].seenSchema = newest })
		}
		for p, pod := range w.past[o.seenPods].pods {
			if pod.gated && !pod.terminating && len(w.patches) < 2 && w.leads(i) {
				add(who+"looks at pod "+pod.name, func(w *world) { w.operators[i].decideGate(w, w.past[w.operators[i].seenPods].pods[p]) })
			}
		}
		add(who+"crashes", func(w *world) { w.restart(i) })
		if !w.leads(i) {
			// Its caches begin with what there is, and what the other one has decided
			// and not carried out may still arrive.
			add(who+"takes over", func(w *world) {
				w.restart(i)
				w.leader = i
			})
		}
	}
	for p := range w.patches {
		add("a patch arrives", func(w *world) {
			w.land(w.patches[p])
			w.patches = slices.Delete(w.patches, p, p+1)
		})
	}
	return out
}

// leads reports whether an operator may decide: nobody has taken over from it, or
// it does not notice, which is a bug.
func (w *world) leads(i int) bool { return w.leader == i || w.bug == bugUnnoticed }

func (w *world) ofJobs() []happening {
	var out []happening
	add := func(name string, do func(*world)) { out = append(out, happening{name, do}) }
	for j := range w.jobs {
		if w.jobs[j].acts() {
			add("a Job goes on", func(w *world) { w.jobs[j].started = true; w.advance(&w.jobs[j]) })
			add("a Job ends without a word", func(w *world) { w.end(&w.jobs[j], nil) })
		}
		if !w.jobs[j].deleted {
			add("a Job is deleted by hand", func(w *world) { w.remove(&w.jobs[j]) })
		} else {
			add("a Job is gone", func(w *world) { w.jobs = slices.Delete(w.jobs, j, j+1) })
		}
	}
	for h := range w.helpers {
		add("the image is pulled", func(w *world) { w.helpers[h].State = migrationjob.Succeeded })
		add("the image is not there", func(w *world) { w.helpers[h].State = migrationjob.Failed })
	}
	return out
}

func (w *world) ofWorkload() []happening {
	var out []happening
	add := func(name string, do func(*world)) { out = append(out, happening{name, do}) }
	for p := range w.pods {
		if w.pods[p].terminating {
			add("a pod ends", func(w *world) { w.pods = slices.Delete(w.pods, p, p+1) })
		} else {
			add("a pod is deleted", func(w *world) { w.terminate(&w.pods[p]) })
		}
	}
	if len(w.pods) < 3 {
		add("an old pod is created", func(w *world) { w.admit(tagOf(2)) })
		add("a new pod is created", func(w *world) { w.admit(tagOf(3)) })
		if schema := w.lately(); schema != nil {
			add("an old pod is created by an API server that lags behind", func(w *world) { w.admitBy(schema, tagOf(2)) })
		}
	}
	add("the workload is rolled back", func(w *world) {
		for p := range w.pods {
			w.pods[p].superseded = w.pods[p].tag == tagOf(3)
		}
		w.next()
	})
	add("time passes", func(w *world) { w.now = w.now.Add(plan.Settle) })
	return out
}

// lately returns a version of the schema that an API server can still have.
func (w *world) lately() *v1alpha1.DatabaseSchema {
	for i := len(w.past) - 1; i > 0; i-- {
		if w.now.Sub(w.past[i].at) >= plan.Settle-time.Second {
			return nil
		}
		if schema := w.past[i-1].schema; schema.ResourceVersion != w.schema.ResourceVersion {
			return schema
		}
	}
	return nil
}

// key tells states apart by what can make a difference from here on. Versions
// count by whether they are still those of the objects, and names by their order.
func (w *world) key(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	put := func(values ...any) { _, _ = fmt.Fprintln(&h, values...) }
	schema := func(s *v1alpha1.DatabaseSchema) {
		status, err := json.Marshal(s.Status)
		if err != nil {
			panic(err)
		}
		_, _ = h.Write(status)
		put(s.Generation, s.ResourceVersion == w.schema.ResourceVersion)
	}
	jobs := func(jobs []simJob) {
		for _, j := range jobs {
			current := slices.ContainsFunc(w.jobs, func(o simJob) bool { return o.uid == j.uid && o.version == j.version })
			put(j.name, j.suspended, j.deleted, j.pod, j.lost, j.started, j.contacted, j.first, j.applied, j.ended, j.failure, j.target, j.result != nil, current)
			if j.result != nil {
				put(j.result.Outcome, j.result.Reason, j.result.From, j.result.To)
			}
		}
	}
	pods := func(pods []simPod) {
		for _, p := range pods {
			current := slices.ContainsFunc(w.pods, func(o simPod) bool { return o.name == p.name && o.version == p.version })
			put(p.name, p.tag, p.gated, p.terminating, p.superseded, p.hold, w.now.Sub(p.created), current)
		}
	}
	schema(w.schema)
	jobs(w.jobs)
	pods(w.pods)
	put(w.databases, w.now.Unix(), w.helpers, w.leader)
	for _, p := range w.patches {
		put(p.name, p.required, slices.ContainsFunc(w.pods, func(o simPod) bool { return o.name == p.name && o.version == p.version }))
	}
	if late := w.lately(); late != nil {
		schema(late)
	}
	for _, o := range w.operators {
		put("operator", o.held, o.hold, w.now.Sub(o.holdSeen), number(w.past[o.seenSchema].schema.ResourceVersion) < o.since)
		schema(w.past[o.seenSchema].schema)
		jobs(w.past[o.seenJobs].jobs)
		pods(w.past[o.seenPods].pods)
		if o.op != nil {
			schema(o.op.observed.Schema)
			status, err := json.Marshal(o.op.next.Status)
			if err != nil {
				panic(err)
			}
			_, _ = h.Write(status)
			put(o.op.next.Action, o.op.next.Evict)
			if job := o.op.observed.Job; job != nil {
				put(slices.ContainsFunc(w.jobs, func(j simJob) bool { return j.uid == job.UID && fmt.Sprint(j.version) == job.ResourceVersion }))
			}
		}
	}
	return h.Sum64()
}

// search goes through every order of events up to a depth.
type search struct {
	seed   maphash.Seed
	seen   map[uint64]int // the depth that was left
	states int
	calmed int
	breach *breach
	calm   int // every how many states are checked for progress
}

func (s *search) from(w *world, left int) {
	if s.breach != nil {
		return
	}
	key := w.key(s.seed)
	if before, ok := s.seen[key]; ok && before >= left {
		return
	}
	s.seen[key] = left
	s.states++
	if s.calm > 0 && key%uint64(s.calm) == 0 {
		s.calmed++
		s.try(w.clone(), func(w *world) { w.settleDown() })
	}
	if left == 0 {
		return
	}
	for _, event := range w.happenings() {
		after := w.clone()
		after.logf("> %s", event.name)
		if s.try(after, event.do) {
			s.from(after, left-1)
		}
	}
}

// try lets something happen, and notes a breach.
func (s *search) try(w *world, do func(*world)) (ok bool) {
	defer func() {
		switch found := recover().(type) {
		case nil:
		case breach:
			if s.breach == nil {
				s.breach = &found
			}
			ok = false
		default:
			panic(found)
		}
	}()
	do(w)
	w.alone()
	w.remember()
	return true
}

// settleDown checks progress: with one operator and nobody who disturbs it, the
// world comes to rest where what is told is true.
func (w *world) settleDown() {
	w.model = false
	w.operators = w.operators[:1]
	w.calmDown()
}

// along goes along the course of the upgrade, one step of one of the operators at
// a time, and calls fn in every state.
func along(w *world, fn func(*world)) {
	for range 60 {
		fn(w)
		switch {
		case w.operators[0].op != nil:
			w.operators[0].reconcile(w)
		case slices.ContainsFunc(w.jobs, func(j simJob) bool { return j.acts() }):
			j := slices.IndexFunc(w.jobs, func(j simJob) bool { return j.acts() })
			w.jobs[j].started = true
			w.advance(&w.jobs[j])
		case slices.ContainsFunc(w.pods, func(p simPod) bool { return p.terminating }):
			w.endAll()
		case w.operators[0].last.After > 0:
			w.now = w.now.Add(w.operators[0].last.After)
			w.operators[0].last.After = 0
		default:
			w.hear(0)
			w.operators[0].reconcile(w)
		}
		for i := range w.helpers {
			w.helpers[i].State = migrationjob.Succeeded
		}
		w.remember()
	}
}

func (w *world) endAll() {
	w.pods = slices.DeleteFunc(slices.Clone(w.pods), func(p simPod) bool { return p.terminating })
}

// TestModel checks every order of events, up to a depth, from every state that an
// upgrade across a breaking revision goes through, with two operators of which
// one takes over from the other at any moment: two migrations never run at once, no pod runs
// beside a revision that breaks it, none is let in where the database does not
// serve it, what is recorded is so; and that from there the upgrade comes to its
// end as soon as nobody disturbs it.
func TestModel(t *testing.T) {
	t.Parallel()
	for name, prepare := range courses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &search{seed: maphash.MakeSeed(), seen: map[uint64]int{}, calm: 50}
			beginnings := 0
			w := modelWorld("", prepare)
			along(w, func(w *world) {
				beginnings++
				s.from(w.clone(), depth)
			})
			if s.breach != nil {
				t.Fatalf("%s\n%s", s.breach.text, s.breach.trace)
			}
			if at := w.databases[sources[0]]; at != 3 || !slices.ContainsFunc(w.jobs, func(j simJob) bool { return j.ended }) {
				t.Fatalf("the course ends with the database at %d\n%s", at, strings.Join(w.trace, "\n"))
			}
			t.Logf("%d states from %d beginnings, %d of them followed to the end", s.states, beginnings, s.calmed)
		})
	}
}

// TestModelFindsBugs: what is checked can be broken.
func TestModelFindsBugs(t *testing.T) {
	t.Parallel()
	for _, mistake := range []bug{bugReleaseBeforeRecord, bugNotSuspended, bugNoStamp, bugUnnoticed} {
		t.Run(string(mistake), func(t *testing.T) {
			t.Parallel()
			s := &search{seed: maphash.MakeSeed(), seen: map[uint64]int{}}
			for _, prepare := range courses {
				s.try(modelWorld(mistake, prepare), func(w *world) {
					along(w, func(w *world) { s.from(w.clone(), depth) })
				})
			}
			if s.breach == nil {
				t.Fatalf("nothing is found in %d states", s.states)
			}
			t.Logf("found after %d states: %s", s.states, s.breach.text)
		})
	}
}
