package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/interceptor"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// The environment of TestChaos: the seed that orders its rounds and decides their
// details, and how long rounds begin. Without a limit all are gone through.
const (
	seedEnv  = "SEED"
	limitEnv = "CHAOS_LIMIT"
)

// point is a place in the course of a migration at which an operator can be
// stopped: what it asks of the API server there.
type point struct {
	name    string
	matches func(interceptor.Request) bool
}

// points are the decision points, in the order in which they are passed.
func points(namespace string) []point {
	inside := func(r interceptor.Request, resource string) bool {
		return strings.Contains(r.Path, "/namespaces/"+namespace+"/"+resource)
	}
	status := func(r interceptor.Request) bool {
		return r.Method == "PATCH" && strings.HasSuffix(r.Path, "/status") && inside(r, "databaseschemas/")
	}
	contains := func(r interceptor.Request, parts ...string) bool {
		for _, part := range parts {
			if !strings.Contains(string(r.Body), part) {
				return false
			}
		}
		return true
	}
	return []point{
		{"status written", func(r interceptor.Request) bool { return status(r) && contains(r, `"state":"Pending"`, `"Held"`) }},
		{"Job created", func(r interceptor.Request) bool {
			return r.Method == "POST" && inside(r, "jobs") && !contains(r, naming.LabelPurpose)
		}},
		{"pod deleted", func(r interceptor.Request) bool { return r.Method == "DELETE" && inside(r, "pods/") }},
		{"un-suspended", func(r interceptor.Request) bool {
			return r.Method == "PATCH" && inside(r, "jobs/") && contains(r, `"suspend":false`)
		}},
		// Between the result that was read and its record there is no request, so
		// "read" is the record that does not arrive.
		{"status recorded", func(r interceptor.Request) bool { return status(r) && contains(r, `"state":"Succeeded"`, `"Open"`) }},
		{"gate opened", func(r interceptor.Request) bool {
			return r.Method == "PATCH" && inside(r, "pods/") && strings.Contains(r.ContentType, "json-patch")
		}},
	}
}

// round is one fault in the middle of one migration.
type round struct {
	name string
	run  func(*chaos)
}

// chaos is a run of many rounds on one installation.
type chaos struct {
	*world
	rng       *rand.Rand
	operators []*process
	release   string // what the workload is at
	rounds    int

	// takeovers are how long after a crash another operator led.
	takeovers []time.Duration
}

// TestChaos takes one installation up and down across a fencing revision, over
// and over, and does something bad in the middle of each. After each round it has
// to be where it should be without anybody's help; at the end no promise may have
// been broken on the way. It has the operator to itself, in two processes of this
// machine, and so runs beside no other test.
func TestChaos(t *testing.T) { //nolint:paralleltest // it is the only operator
	ownNode(t)
	seed, limit := chaosOptions(t)
	stopOperator(t)
	w := newWorld(t)
	w.server.SmallDisk(t)
	w.legacy()
	c := &chaos{world: w, rng: rand.New(rand.NewPCG(seed, 0)), release: newRelease} //nolint:gosec // repeatable, not secret
	program := buildOperator(t)
	for _, name := range []string{"a", "b"} {
		c.operators = append(c.operators, newProcess(t, name, program))
	}
	t.Cleanup(func() { searchLogs(t, w.password, c.operators...) })
	for _, p := range c.operators {
		p.start()
	}
	schema := w.newSchema()
	schema.Spec.Policy.Downgrade = v1alpha1.DowngradeAllow
	create(t, schema)
	create(t, w.newDeployment(newRelease, 2))
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 2)

	rounds := c.all()
	c.rng.Shuffle(len(rounds), func(i, j int) { rounds[i], rounds[j] = rounds[j], rounds[i] })
	began := time.Now()
	t.Logf("seed %d, %d rounds", seed, len(rounds))
	for _, r := range rounds {
		if limit > 0 && time.Since(began) > limit {
			t.Logf("%d of %d rounds, the time is over; SEED=%d repeats them", c.rounds, len(rounds), seed)
			break
		}
		c.rounds++
		start := time.Now()
		r.run(c)
		c.settled(r.name)
		t.Logf("%-40s %s", r.name, time.Since(start).Round(100*time.Millisecond))
		if t.Failed() {
			t.Fatalf("seed %d, round %q", seed, r.name)
		}
	}
	if len(c.takeovers) > 0 {
		slices.Sort(c.takeovers)
		t.Logf("after %d crashes of the leader another led within %s to %s, half of the times within %s", len(c.takeovers),
			c.takeovers[0], c.takeovers[len(c.takeovers)-1], c.takeovers[len(c.takeovers)/2])
	}
	if limit == 0 {
		start := time.Now()
		c.many(manySchemas)
		t.Logf("%d schemas at once %s", manySchemas, time.Since(start).Round(time.Second))
	}
}

// manySchemas are made at once, after all rounds.
const manySchemas = 200

// many creates schemas with a database of their own each, and restarts the
// operators while they are migrated.
func (c *chaos) many(n int) {
	c.t.Helper()
	host := os.Getenv(hostAddressEnv)
	server := postgres.Start(c.t, postgres.ListenOn(host)) // one whose disk is large enough
	u, err := url.Parse(at(c.t, server.URL("postgres"), host))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range n {
		name := fmt.Sprintf("many%d", i)
		server.Exec(c.t, "CREATE DATABASE "+name)
		u.Path = "/" + name
		create(c.t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name}, StringData: map[string]string{"url": u.String()}})
	}
	for i := range n {
		schema := c.newSchema()
		schema.Name = fmt.Sprintf("many%d", i)
		schema.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetAppVersion, AppVersion: newRelease}
		schema.Spec.Database.URLFrom.SecretKeyRef = v1alpha1.KeySelector{Name: v1alpha1.ObjectName(schema.Name), Key: "url"}
		create(c.t, schema)
	}
	for _, p := range c.operators {
		c.wait(time.Duration(c.rng.IntN(5000)) * time.Millisecond)
		p.kill()
		p.start()
	}
	ready := 0
	for deadline := time.Now().Add(15 * time.Minute); ready < n; {
		schemas := &v1alpha1.DatabaseSchemaList{}
		if err := admin.List(c.t.Context(), schemas, client.InNamespace(c.namespace)); err != nil {
			c.t.Fatal(err)
		}
		ready = 0
		for i := range schemas.Items {
			s := schemas.Items[i].Status
			if schemas.Items[i].Name != schemaName && apimeta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady) && s.AppliedRevision.Version == needs[newRelease] {
				ready++
			}
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%d of %d schemas are ready", ready, n)
		}
		c.wait(time.Second)
	}
}

func chaosOptions(t *testing.T) (seed uint64, limit time.Duration) {
	t.Helper()
	seed = 1
	if value := os.Getenv(seedEnv); value != "" {
		var err error
		if seed, err = strconv.ParseUint(value, 10, 64); err != nil {
			t.Fatalf("%s is %q: use a whole number, 0 or more", seedEnv, value)
		}
	}
	if value := os.Getenv(limitEnv); value != "" {
		var err error
		if limit, err = time.ParseDuration(value); err != nil {
			t.Fatalf("%s is %q: use a duration, such as 8m", limitEnv, value)
		}
	}
	return seed, limit
}

// all lists every round.
func (c *chaos) all() []round {
	var out []round
	for _, p := range points(c.namespace) {
		for _, moment := range []interceptor.Moment{interceptor.Before, interceptor.After} {
			name := string(moment) + " " + p.name
			out = append(
				out,
				round{"crash " + name, func(c *chaos) { c.crash(p, moment) }},
				round{"freeze " + name, func(c *chaos) { c.freeze(p, moment) }},
			)
		}
	}
	return append(
		out,
		round{"API server stands still", func(c *chaos) { c.midway(); c.pause("kube-apiserver", time.Minute) }},
		round{"API server crashes", func(c *chaos) { c.midway(); c.fell("kube-apiserver") }},
		round{"etcd crashes", func(c *chaos) { c.midway(); c.fell("etcd") }},
		round{"kubelet crashes", func(c *chaos) { c.midway(); c.fell("kubelet") }},
		round{"Job controller crashes", func(c *chaos) { c.midway(); c.fell("kube-controller-manager") }},
		round{"PostgreSQL is restarted", func(c *chaos) { c.midway(); c.server.Restart(c.t) }},
		round{"PostgreSQL crashes", func(c *chaos) { c.midway(); c.server.Kill(c.t); c.server.Restart(c.t) }},
		round{"connections are cut", func(c *chaos) { c.midway(); c.cut() }},
		round{"the network is cut", (*chaos).unplug},
		round{"read-only", (*chaos).readOnly},
		round{"no connection is left", (*chaos).crowd},
		round{"the disk is full", (*chaos).fill},
		round{"PgBouncer between, by session", func(c *chaos) { c.pooled(postgres.PoolSession) }},
		round{"PgBouncer between, by transaction", func(c *chaos) { c.pooled(postgres.PoolTransaction) }},
		round{"clocks jump ahead", func(c *chaos) { c.jump(time.Hour, time.Hour) }},
		round{"clocks jump back", func(c *chaos) { c.jump(-time.Hour, -time.Hour) }},
		round{"clocks disagree", func(c *chaos) { c.jump(time.Hour, -time.Hour) }},
		round{"Jobs expire at once", (*chaos).expire},
		round{"the Job is deleted", func(c *chaos) { c.midway(); c.deleteJobs() }},
		round{"the Job's pod is deleted", func(c *chaos) { c.midway(); c.deleteJobPods() }},
		round{"pods are deleted", func(c *chaos) { c.midway(); c.deletePods() }},
		round{"the schema is edited", func(c *chaos) { c.midway(); c.edit() }},
		round{"the schema is suspended", func(c *chaos) { c.midway(); c.suspend() }},
		round{"the schema is made again", func(c *chaos) { c.midway(); c.remake() }},
		round{"the workload is rolled back", func(c *chaos) { c.midway(); c.turn() }},
	)
}

// wait lets some time pass, in which things happen.
func (c *chaos) wait(pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-c.t.Context().Done():
	}
}

// turn begins a migration: up to the fencing release, or back down.
func (c *chaos) turn() {
	if c.release == newRelease {
		c.release = fencingRelease
	} else {
		c.release = newRelease
	}
	c.world.release(c.release)
}

// midway begins a migration and waits for a moment somewhere in it.
func (c *chaos) midway() {
	c.turn()
	c.wait(time.Duration(c.rng.IntN(8000)) * time.Millisecond)
}

// settled waits until everything is as the workload asks for.
func (c *chaos) settled(name string) {
	c.t.Helper()
	for _, p := range c.operators {
		p.interceptor.Clear()
		p.signal(syscall.SIGCONT)
		p.start()
	}
	last, stalled := "", time.Time{}
	for deadline := time.Now().Add(3 * time.Minute); ; {
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
		var done bool
		done, last = c.isSettled(ctx)
		cancel()
		if done {
			break
		}
		switch {
		case !strings.Contains(last, "Stalled=True"):
			stalled = time.Time{}
		case stalled.IsZero():
			stalled = time.Now()
		}
		if time.Now().After(deadline) || !stalled.IsZero() && time.Since(stalled) > 20*time.Second {
			c.t.Fatalf("%s: not settled: %s", name, last)
		}
		for _, p := range c.operators {
			p.start() // One that has lost its lease ends, as a pod's would.
		}
		c.wait(200 * time.Millisecond)
	}
	if rows := c.value("SELECT count(*) FROM chat"); rows != "100" {
		c.t.Errorf("%s: there are %s chats, want 100", name, rows)
	}
}

func (c *chaos) isSettled(ctx context.Context) (bool, string) {
	schema, err := c.schema(ctx)
	if err != nil {
		return false, err.Error()
	}
	ready := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != schema.Generation ||
		schema.Status.AppliedRevision.Version != needs[c.release] {
		return false, describe(schema)
	}
	pods, err := c.pods(ctx)
	if err != nil {
		return false, err.Error()
	}
	for i := range pods {
		if pods[i].Spec.Containers[0].Image != standin(c.release) || !isReady(&pods[i]) || !pods[i].DeletionTimestamp.IsZero() {
			return false, fmt.Sprintf("pod %s of %s is %s", pods[i].Name, pods[i].Spec.Containers[0].Image, pods[i].Status.Phase)
		}
	}
	var version string
	err = c.db.QueryRowContext(ctx, "SELECT coalesce((SELECT version_num FROM alembic_version), '')").Scan(&version)
	return err == nil && len(pods) == 2 && version == schema.Status.AppliedRevision.ID,
		fmt.Sprintf("%d pods, alembic_version %q, recorded %q (%v)", len(pods), version, schema.Status.AppliedRevision.ID, err)
}

// trap has an operator stopped at a point of the migration that begins, whichever
// leads, and waits until that has happened.
func (c *chaos) trap(p point, moment interceptor.Moment, do func(*process)) {
	var sprung []<-chan struct{}
	for _, operator := range c.operators {
		sprung = append(sprung, operator.interceptor.Set(interceptor.Trap{
			Matches: p.matches, Moment: moment, Do: func() { do(operator) },
		}))
	}
	c.turn()
	select {
	case <-sprung[0]:
	case <-sprung[1]:
	case <-time.After(time.Minute):
		c.t.Errorf("no operator has come to %q", p.name)
	}
	for _, operator := range c.operators {
		operator.interceptor.Clear()
	}
}

// leader returns who holds the lease; empty when that cannot be told.
func (c *chaos) leader() string {
	lease := &coordinationv1.Lease{}
	if err := admin.Get(c.t.Context(), types.NamespacedName{Namespace: "schemagate-system", Name: naming.LeaderElectionID}, lease); err != nil {
		return ""
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// crash kills the leader at a point, and starts it again when another has taken
// over.
func (c *chaos) crash(p point, moment interceptor.Moment) {
	var killed time.Time
	before := ""
	c.trap(p, moment, func(operator *process) {
		before = c.leader()
		operator.kill()
		killed = time.Now()
	})
	for deadline := time.Now().Add(time.Minute); !killed.IsZero() && time.Now().Before(deadline); c.wait(20 * time.Millisecond) {
		if now := c.leader(); now != "" && now != before {
			c.takeovers = append(c.takeovers, time.Since(killed))
			break
		}
	}
	c.wait(time.Duration(c.rng.IntN(2000)) * time.Millisecond)
}

// freeze stops the leader at a point for longer than its lease, and lets it go on
// when another has taken over.
func (c *chaos) freeze(p point, moment interceptor.Moment) {
	var frozen *process
	c.trap(p, moment, func(operator *process) {
		frozen = operator
		operator.signal(syscall.SIGSTOP)
	})
	c.wait(time.Duration(5000+c.rng.IntN(5000)) * time.Millisecond)
	if frozen != nil {
		frozen.signal(syscall.SIGCONT)
	}
}

// pause stops a component of the node for a while.
func (c *chaos) pause(name string, pause time.Duration) {
	pid := component(c.t, name)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		c.t.Error(err)
	}
	c.wait(pause)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		c.t.Error(err)
	}
}

// fell kills a component of the node, and starts it again.
func (c *chaos) fell(name string) {
	if err := syscall.Kill(component(c.t, name), syscall.SIGKILL); err != nil {
		c.t.Error(err)
	}
	c.wait(time.Duration(1+c.rng.IntN(5)) * time.Second)
	mendNode(c.t)
}

// cut ends all connections to the database, a few times.
func (c *chaos) cut() {
	for range 10 {
		c.server.Exec(c.t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL")
		c.wait(100 * time.Millisecond)
	}
}

// jump has the operators' time of day jump in the middle of a migration, and
// another one take over with its own; afterwards both jump back.
func (c *chaos) jump(by ...time.Duration) {
	c.midway()
	for i, p := range c.operators {
		p.jump(by[i])
	}
	c.wait(time.Duration(c.rng.IntN(5000)) * time.Millisecond)
	for _, p := range c.operators {
		p.kill()
		c.wait(time.Duration(c.rng.IntN(2000)) * time.Millisecond)
		p.start()
	}
	c.settled("with clocks that have jumped")
	for _, p := range c.operators {
		p.jump(0)
	}
	c.midway()
}

// expire has Jobs removed the moment they are over, by the controller that does
// that a day later otherwise.
func (c *chaos) expire() {
	c.turn()
	for range 150 {
		jobs := &batchv1.JobList{}
		if err := admin.List(c.t.Context(), jobs, client.InNamespace(c.namespace), client.HasLabels{naming.LabelJobSchema}); err != nil {
			c.t.Fatal(err)
		}
		for i := range jobs.Items {
			job := &jobs.Items[i]
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"ttlSecondsAfterFinished": 0}}`))
			if err := client.IgnoreNotFound(admin.Patch(c.t.Context(), job, patch)); err != nil {
				c.t.Error(err)
			}
		}
		c.wait(100 * time.Millisecond)
	}
}

// deleteJobs deletes what runs, as a person would.
func (c *chaos) deleteJobs() {
	policy := metav1.DeletePropagationBackground
	err := admin.DeleteAllOf(c.t.Context(), &batchv1.Job{}, client.InNamespace(c.namespace), client.HasLabels{naming.LabelJobSchema},
		&client.DeleteAllOfOptions{DeleteOptions: client.DeleteOptions{PropagationPolicy: &policy}})
	if err != nil {
		c.t.Error(err)
	}
}

func (c *chaos) deleteJobPods() {
	if err := admin.DeleteAllOf(c.t.Context(), &corev1.Pod{}, client.InNamespace(c.namespace), client.HasLabels{naming.LabelJobSchema}); err != nil {
		c.t.Error(err)
	}
}

func (c *chaos) deletePods() {
	if err := admin.DeleteAllOf(c.t.Context(), &corev1.Pod{}, client.InNamespace(c.namespace), client.HasLabels{v1alpha1.LabelSchema}); err != nil {
		c.t.Error(err)
	}
}

// edit changes the spec in a way that matters to no plan.
func (c *chaos) edit() {
	for range 3 {
		c.patchSchema(`{"spec": {"execution": {"lockTimeoutSeconds": %d}}}`, 1+c.rng.IntN(20))
		c.wait(200 * time.Millisecond)
	}
}

func (c *chaos) suspend() {
	c.patchSchema(`{"spec": {"suspend": true}}`)
	c.wait(time.Duration(c.rng.IntN(3000)) * time.Millisecond)
	c.patchSchema(`{"spec": {"suspend": false}}`)
}

// remake deletes the schema and creates it again.
func (c *chaos) remake() {
	schema := c.newSchema()
	if err := admin.Delete(c.t.Context(), schema); err != nil {
		c.t.Error(err)
	}
	apiserver.Eventually(c.t, func(ctx context.Context) (bool, string) {
		_, err := c.schema(ctx)
		return err != nil && client.IgnoreNotFound(err) == nil, fmt.Sprint(err)
	})
	schema = c.newSchema()
	schema.Spec.Policy.Downgrade = v1alpha1.DowngradeAllow
	create(c.t, schema)
}
