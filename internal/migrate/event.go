package migrate

import "time"

// EventKind says what an Event is about.
type EventKind string

// The kinds of events, in the order in which they occur.
const (
	// EventPlanned: the plan is made; Total is the number of revisions.
	EventPlanned EventKind = "planned"
	// EventAdopted: an existing database was adopted at Revision.
	EventAdopted EventKind = "adopted"
	// EventStarted: a revision begins.
	EventStarted EventKind = "started"
	// EventProgress: a Go step has converted Done of Total rows.
	EventProgress EventKind = "progress"
	// EventApplied: a revision is committed.
	EventApplied EventKind = "applied"
	// EventWaiting: a lock or a connection was not to be had; the run tries
	// again.
	EventWaiting EventKind = "waiting"
)

// Event is a step of a run, for whoever watches. It holds what a Result may
// hold and nothing more.
type Event struct {
	Kind      EventKind
	Revision  int
	Direction Direction
	ID        string
	File      string
	Step      string
	Done      int64
	Total     int64
	Duration  time.Duration
	// Err is why the run waits.
	Err *Error
}
