// Package checker watches a whole test run from outside and tells afterwards
// where the operator's promise was broken: that no pod is let in, starts or stays
// where the database does not serve what it needs.
//
// It knows nothing of the operator. It records what the API server shows of
// DatabaseSchemas and labeled pods, and is told when the database changed. One
// etcd numbers the versions of all objects of a cluster, so those of a pod and of
// its schema can be compared: what was in force when a pod was let in is known
// exactly, however late the checker hears of it.
package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/bundle"
)

// Options says what to watch, and how strictly to judge.
type Options struct {
	// Client lists and watches, without a cache. Required.
	Client client.WithWatch

	// Bundle is that of every DatabaseSchema of the run. Required.
	Bundle *bundle.Bundle

	// Namespaces to watch; all when empty.
	Namespaces []string

	// Stale is how long after it was replaced a status may still let a pod in,
	// by a server that has not heard of its end, and how long after that the pod
	// may stay undeleted. Defaults to 10 seconds.
	Stale time.Duration

	// Clock is what the time is taken from; time.Now when nil. It has to agree
	// with the clocks of the API server, the nodes and the database.
	Clock func() time.Time
}

// Report is what came of a run.
type Report struct {
	// Violations are the breaches of the promise, in the order of their times, as
	// sentences. What keeps the checker from knowing whether there were others
	// comes first: a run that could not be watched to its end has not passed.
	Violations []string

	// StaleReleases and StaleAdmissions count the pods that were let in by a
	// status that had just been replaced, which is tolerated because they were
	// deleted soon after.
	StaleReleases, StaleAdmissions int

	// Pods is how many labeled pods were seen; Releases and Admissions are how
	// many gates were seen to be opened, and how many pods were seen to be
	// created without one.
	Pods, Releases, Admissions int
}

// Checker watches a run. Its methods may be called by several goroutines at once.
type Checker struct {
	options       Options
	recorder      *recorder
	schemas, pods *watches
	finish        sync.Once
	report        Report
}

// defaultStale is the default of Options.Stale.
const defaultStale = 10 * time.Second

// Start reads what there is, and begins to watch. The watches outlive restarts of
// the API server; they end with [Checker.Finish], or with ctx, which is too early.
func Start(ctx context.Context, options Options) (*Checker, error) {
	if options.Client == nil || options.Bundle == nil {
		return nil, errors.New("the checker needs a client and a bundle")
	}
	if options.Stale == 0 {
		options.Stale = defaultStale
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	namespaces := slices.Compact(slices.Sorted(slices.Values(options.Namespaces)))
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	c := &Checker{options: options, recorder: newRecorder(options.Clock())}
	c.schemas, c.pods = newWatches(ctx), newWatches(ctx)
	for _, namespace := range namespaces {
		c.schemas.add(newStream(options, c.recorder, kindSchema, namespace))
		c.pods.add(newStream(options, c.recorder, kindPod, namespace))
	}
	// The schemas come first: whatever happens to a pod after it was listed is
	// then newer than the first status that is known.
	for _, w := range []*watches{c.schemas, c.pods} {
		if err := w.start(); err != nil {
			c.schemas.stop()
			c.pods.stop()
			return nil, err
		}
	}
	return c, nil
}

// Revision tells that a transaction of a migration committed: it took the
// database of a schema from one revision to another, 0 meaning an empty database.
// The calls may come in any order, and at any time before Finish. Before the
// first of them the database is taken to have been where that one found it. A
// schema without any is judged by its status alone.
func (c *Checker) Revision(namespace, schema string, from, to int, at time.Time) {
	c.recorder.commit(client.ObjectKey{Namespace: namespace, Name: schema}, commit{from: from, to: to, at: at})
}

// Finish waits until all that the API server shows at the moment has been seen,
// stops watching, and judges. It waits for an API server that is down, but not
// for ever. A pod that was let in by a stale status and not deleted since is only
// a violation if Options.Stale has passed. Called again it returns the same.
func (c *Checker) Finish() Report {
	c.finish.Do(func() {
		// The pods come first, so that no status is missed that was written before
		// the last of what they did.
		for _, w := range []*watches{c.pods, c.schemas} {
			if err := w.finish(); err != nil {
				c.recorder.flaw(fmt.Sprintf("The run was not watched to its end: %v.", err))
			}
		}
		c.report = evaluate(c.recorder.end(c.options.Clock()), c.options.Bundle, c.options.Stale)
	})
	return c.report
}
