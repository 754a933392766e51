package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// Holds orders "hold" and "release" within one operator process. The controller
// that opens gates reads schemas from a cache, which may show a schema as it was
// before a hold that this very process has written. The zero value is ready to
// use, by any number of goroutines.
type Holds struct {
	mu      sync.Mutex
	schemas map[types.NamespacedName]hold
	inForce map[types.NamespacedName]inForce
}

// inForce is a hold that the API server has shown, and since when, by the clock
// that does not jump.
type inForce struct {
	id    string
	since time.Time
}

type hold struct {
	// held is set before the hold is written and cleared after its end is.
	held bool
	// since is the resourceVersion of the schema when the hold ended: whatever
	// is older tells nothing.
	since string
}

// Hold closes the gates of a schema, before the API server is told.
func (h *Holds) Hold(schema types.NamespacedName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(schema, hold{held: true, since: h.schemas[schema].since})
}

// Lift opens them again, after the API server has been told: resourceVersion is
// that of the schema which says so.
func (h *Holds) Lift(schema types.NamespacedName, resourceVersion string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, ok := h.schemas[schema]; ok && before.held {
		h.set(schema, hold{since: resourceVersion})
	}
}

// See notes that a schema was read from the API server itself, as far as nothing
// newer is known of it.
func (h *Holds) See(schema types.NamespacedName, resourceVersion string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.schemas[schema]; !ok {
		h.set(schema, hold{since: resourceVersion})
	}
}

// Seen reports whether anything is known of a schema. What a cache shows after a
// start may be older than a hold that an operator process before has written.
func (h *Holds) Seen(schema types.NamespacedName) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.schemas[schema]
	return ok
}

// InForce notes that a schema was read which records a hold, or none if id is
// empty, and returns for how long this process has known of it.
func (h *Holds) InForce(schema types.NamespacedName, id string) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id == "" {
		delete(h.inForce, schema)
		return 0
	}
	if h.inForce == nil {
		h.inForce = map[types.NamespacedName]inForce{}
	}
	if h.inForce[schema].id != id {
		h.inForce[schema] = inForce{id: id, since: time.Now()}
	}
	return time.Since(h.inForce[schema].since)
}

// Forget drops a schema that is gone.
func (h *Holds) Forget(schema types.NamespacedName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.schemas, schema)
	delete(h.inForce, schema)
}

// Allows reports whether gates may be opened by what a schema says, read at a
// resourceVersion. Of a schema of which nothing is known they may not.
func (h *Holds) Allows(schema types.NamespacedName, resourceVersion string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	state, ok := h.schemas[schema]
	if !ok || state.held {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(resourceVersion, state.since)
	return err == nil && order >= 0
}

func (h *Holds) set(schema types.NamespacedName, state hold) {
	if h.schemas == nil {
		h.schemas = map[types.NamespacedName]hold{}
	}
	h.schemas[schema] = state
}
