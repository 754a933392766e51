package migrate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/result"
)

// Error is what every exported function of this package returns when it fails.
// Outcome and Reason are what callers branch on; Failure may leave the process
// as it is. The text of Error is for the terminal of whoever ran it: it may
// contain what the server said.
type Error struct {
	Outcome result.Outcome
	Reason  result.Reason
	// Failure says where; its zero value means nowhere in particular.
	Failure result.Failure
	// Message is a sentence for people.
	Message string
	// Err is the cause, if there is one.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func refused(reason result.Reason, format string, args ...any) *Error {
	return &Error{Outcome: result.Refused, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func permanent(reason result.Reason, format string, args ...any) *Error {
	return &Error{Outcome: result.Permanent, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func usage(reason result.Reason, format string, args ...any) *Error {
	return &Error{Outcome: result.Usage, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// errStale says that the database is no longer what the plan was made for. The
// runner plans again.
var errStale = errors.New("the database changed after the plan was made")

// errMigrationLocked says that another runner held the migration lock until
// the deadline.
var errMigrationLocked = errors.New("another runner holds the migration lock")

// fileError is an error of a revision: at a line of its file, or at none when
// its tables were locked or its version was recorded.
type fileError struct {
	unit *unit
	line int // 0 is none
	step string
	err  error
}

func (e *fileError) Error() string {
	if e.line == 0 {
		return fmt.Sprintf("%s: %v", e.unit.file, e.err)
	}
	if e.step != "" {
		return fmt.Sprintf("%s:%d: step %s: %v", e.unit.file, e.line, e.step, e.err)
	}
	return fmt.Sprintf("%s:%d: %v", e.unit.file, e.line, e.err)
}

func (e *fileError) Unwrap() error { return e.err }

// blockedError adds who held the locks that a statement waited for.
type blockedError struct {
	blockers []result.Blocker
	err      error
}

func (e *blockedError) Error() string {
	return fmt.Sprintf("%v (held by %s)", e.err, describeBlockers(e.blockers))
}

func (e *blockedError) Unwrap() error { return e.err }

func describeBlockers(blockers []result.Blocker) string {
	var text strings.Builder
	for i, b := range blockers {
		if i > 0 {
			text.WriteString(", ")
		}
		name := b.Application
		if name == "" {
			name = "a session without application_name"
		}
		fmt.Fprintf(&text, "%q pid %d", name, b.PID)
		if b.Count > 1 {
			fmt.Fprintf(&text, " and %d more", b.Count-1)
		}
	}
	return text.String()
}

// connectError marks an error of making a connection, or of its first use. What
// lib/pq itself finds wrong there, such as a server that is not what
// target_session_attrs asks for, has no type of its own.
type connectError struct{ err error }

func (e *connectError) Error() string { return "connecting: " + e.err.Error() }

func (e *connectError) Unwrap() error { return e.err }

// commitError marks an error of COMMIT whose outcome is unknown: the database
// has to be read again before anyone may say what happened.
type commitError struct{ err error }

func (e *commitError) Error() string { return "committing: " + e.err.Error() }

func (e *commitError) Unwrap() error { return e.err }
