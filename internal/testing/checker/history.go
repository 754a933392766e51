package checker

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// history is what was recorded of a run. All that is judged follows from it.
type history struct {
	// begin and end are when the checker began and ceased to watch.
	begin, end time.Time

	// schemas are the versions of each DatabaseSchema, in order. One that was
	// deleted and made again goes on where the one before ended.
	schemas map[types.NamespacedName][]version

	// pods are the labeled pods, in the order in which they were first seen.
	pods []*pod

	// commits are what the database of each schema went through, in any order.
	commits map[types.NamespacedName][]commit

	// flaws are what the history lacks, as sentences.
	flaws []string
}

// version is a DatabaseSchema between two changes of what is decided by.
type version struct {
	// schema holds that, and its own resourceVersion. Of one that is gone it
	// holds the UID and when it went.
	schema *v1alpha1.DatabaseSchema
	gone   bool

	// after tells that the version came into force at an unknown moment after
	// this resourceVersion: what was written in between was not seen. Empty when
	// it came into force at its own.
	after string

	// seen is when the checker heard of it.
	seen time.Time
}

// pod is a labeled pod.
type pod struct {
	name, schema types.NamespacedName

	// shape is what it says of its needs; pods of one template share it.
	shape *corev1.Pod

	// gated says that it was seen with the gate last.
	gated bool

	// initial says that it had no gate when the checker began, so that nobody
	// knows why.
	initial bool

	// letIn is when it was admitted or released; nil when neither was seen.
	letIn *moment

	// starts are when its application container was started, in whole seconds as
	// Kubernetes keeps them.
	starts []time.Time

	// deleted is when its deletion was asked for, ended when it was complete, or
	// its containers had ended for good. Zero while neither is known; the earliest
	// possible time where it is not known exactly.
	deleted, ended time.Time
}

// moment is when a pod was let in.
type moment struct {
	// released says that its gate was taken off. Otherwise it was created without
	// one.
	released bool

	// version is the resourceVersion that this gave to the pod. Where after is
	// set, it happened in between, and all that is known is that it had not
	// happened at after.
	after, version string

	// earliest and latest bound the time.
	earliest, latest time.Time
}

// commit is a transaction that changed the revision of a database.
type commit struct {
	from, to int
	at       time.Time
}

// granularity is how exact times are that Kubernetes keeps in whole seconds.
const granularity = time.Second

// older reports whether a resourceVersion is older than another. The recorder
// lets none in that cannot be compared.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}

// inForce returns the first and the last index of the versions of which one was
// in force at a moment; -1 stands for none at all. Mostly it is one and the same.
func inForce(versions []version, m moment) (first, last int) {
	first, last = -1, -1
	for i, v := range versions {
		own := v.schema.ResourceVersion
		if m.after == "" && older(own, m.version) || m.after != "" && !older(m.after, own) {
			first = i
		}
		if older(own, m.version) || v.after != "" && older(v.after, m.version) {
			last = i
		}
	}
	return first, last
}

// around returns the versions that may have been in force at a time, give or take
// the granularity of times.
func around(versions []version, at time.Time) []version {
	first, last := 0, 0
	for i, v := range versions {
		if !v.seen.After(at.Add(-granularity)) {
			first = i
		}
		if !v.seen.After(at.Add(granularity)) {
			last = i + 1
		}
	}
	return versions[min(first, last):last]
}

// revisions returns the revisions that a database had between two times, given
// its commits in order: at least one if there is a commit.
func revisions(commits []commit, from, to time.Time) []int {
	var current []int
	for i, c := range commits {
		switch {
		case i == 0 && c.at.After(from):
			current = []int{c.from, c.to}
			if c.at.After(to) {
				return current[:1]
			}
		case !c.at.After(from):
			current = []int{c.to}
		case !c.at.After(to):
			current = append(current, c.to)
		}
	}
	return current
}
