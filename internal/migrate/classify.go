package migrate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"modernc.org/sqlite"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// classify turns any error into an *Error with an outcome, a reason and what
// may be told outside. It never copies a server's message into the Failure.
func classify(err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known.placed(err)
	}
	e := &Error{Outcome: result.Permanent, Reason: result.ReasonInternal, Err: err}
	e.locate(err)
	switch {
	case errors.Is(err, errMigrationLocked):
		e.Outcome, e.Reason = result.Locked, result.ReasonMigrationLocked
	case errors.As(err, new(*sessionsError)):
		e.Outcome, e.Reason = result.Transient, result.ReasonDatabaseInUse
	case errors.Is(err, errStale):
		e.Outcome, e.Reason = result.Transient, result.ReasonChangedMeanwhile
	default:
		e.Outcome, e.Reason = classOf(err)
	}
	return e
}

// placed returns the error with the revision that err, which wraps it, names.
func (e *Error) placed(err error) *Error {
	var file *fileError
	if e.Failure.Revision != 0 || !errors.As(err, &file) {
		return e
	}
	placed := *e
	placed.Failure.Revision, placed.Failure.Direction = file.unit.revision, string(file.unit.direction)
	return &placed
}

// locate fills in the place that the error carries.
func (e *Error) locate(err error) {
	if file, ok := errors.AsType[*fileError](err); ok {
		e.Failure.Revision, e.Failure.Direction = file.unit.revision, string(file.unit.direction)
		e.Failure.Line, e.Failure.Step = file.line, file.step
	}
	if blocked, ok := errors.AsType[*blockedError](err); ok {
		e.Failure.Blockers = blocked.blockers
	}
	if others, ok := errors.AsType[*sessionsError](err); ok {
		e.Failure.Blockers = others.sessions
	}
	if server, ok := errors.AsType[*pq.Error](err); ok {
		e.Failure.SQLState = string(server.Code)
		e.Failure.Table, e.Failure.Column, e.Failure.Constraint = server.Table, server.Column, server.Constraint
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		e.Failure.SQLiteCode = lite.Code()
		e.Message = adviceForSQLite(lite.Code())
	}
	if data, ok := errors.AsType[*step.DataError](err); ok {
		e.Failure.Table = data.Table
		e.Failure.Found = []string{data.Reason}
	}
}

func classOf(err error) (result.Outcome, result.Reason) {
	if errors.As(err, new(*commitError)) {
		return result.Transient, result.ReasonUnreachable
	}
	if server, ok := errors.AsType[*pq.Error](err); ok {
		return classOfState(string(server.Code))
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return classOfSQLite(lite.Code())
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return result.Transient, result.ReasonInterrupted
	case isCertificate(err):
		return result.Transient, result.ReasonAuthentication
	case isConnectionLoss(err), errors.As(err, new(*connectError)):
		return result.Transient, result.ReasonUnreachable
	}
	var file *fileError
	if errors.As(err, &file) && file.step != "" {
		return result.Permanent, result.ReasonStepFailed
	}
	return result.Permanent, result.ReasonInternal
}

// isCertificate reports errors of TLS that someone has to mend outside: a file
// that is missing, an authority that is unknown.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &hostname) ||
		errors.As(err, &record) || errors.Is(err, pq.ErrSSLNotSupported) || errors.Is(err, pq.ErrSSLKeyHasWorldPermissions) ||
		errors.Is(err, pq.ErrSSLKeyUnknownOwnership) || errors.Is(err, os.ErrNotExist)
}

// isConnectionLoss reports that the connection could not be made or broke. It
// says nothing about whether a statement under way took effect.
func isConnectionLoss(err error) bool {
	var network net.Error
	var op *net.OpError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, net.ErrClosed) || errors.As(err, &network) || errors.As(err, &op)
}

// definite reports that the server has refused a COMMIT, so that the transaction
// is rolled back. A server or a pooler that ends the session may have committed
// before. It says so by the severity, which lib/pq knows only in the server's
// language, hence the codes.
func definite(err error) bool {
	server, ok := errors.AsType[*pq.Error](err)
	if !ok || server.Fatal() || server.Severity == pqerror.SeverityPanic {
		return false
	}
	state := string(server.Code)
	return state != stateIdleInTransaction && state != stateTransactionTimeout &&
		!strings.HasPrefix(state, classConnection) && !strings.HasPrefix(state, prefixShutdown)
}

// SQLSTATE codes that have a meaning of their own here.
const (
	stateLockNotAvailable     = "55P03"
	stateDeadlock             = "40P01"
	stateSerialization        = "40001"
	stateQueryCanceled        = "57014"
	stateReadOnly             = "25006"
	stateInsufficientRights   = "42501"
	stateUnknownDatabase      = "3D000"
	stateUnknownSchema        = "3F000"
	stateIdleInTransaction    = "25P03"
	stateTransactionTimeout   = "25P04"
	stateSessionTimeout       = "57P05"
	stateObjectInUse          = "55006"
	stateDependentObjects     = "2BP01"
	stateNotSupported         = "0A000"
	classConnection           = "08"
	classAuthorization        = "28"
	classInsufficientResource = "53"
	classOperator             = "57"
	prefixShutdown            = "57P"
	classSystem               = "58"
)

// classOfState classifies an SQLSTATE. Codes that are not listed mean that the
// statement itself is at fault, and it will be the next time too.
func classOfState(state string) (result.Outcome, result.Reason) {
	switch state {
	case stateLockNotAvailable, stateObjectInUse:
		return result.Locked, result.ReasonTableLocked
	case stateDeadlock, stateSerialization:
		return result.Locked, result.ReasonDeadlock
	case stateQueryCanceled:
		return result.Transient, result.ReasonStatementTimeout
	case stateReadOnly:
		return result.Transient, result.ReasonReadOnly
	case stateIdleInTransaction, stateTransactionTimeout, stateSessionTimeout:
		return result.Transient, result.ReasonUnreachable
	case stateInsufficientRights:
		return result.Permanent, result.ReasonPermissionDenied
	case stateDependentObjects, stateNotSupported:
		// That is what PostgreSQL says when a view is on a column that changes.
		return result.Permanent, result.ReasonOwnObject
	case stateUnknownDatabase, stateUnknownSchema:
		return result.Transient, result.ReasonDatabaseMissing
	}
	if len(state) != 5 {
		return result.Permanent, result.ReasonSQLError
	}
	switch state[:2] {
	case classConnection:
		return result.Transient, result.ReasonUnreachable
	case classAuthorization:
		return result.Transient, result.ReasonAuthentication
	case classInsufficientResource, classOperator, classSystem:
		return result.Transient, result.ReasonServerBusy
	}
	return result.Permanent, result.ReasonSQLError
}

// SQLite's primary result codes that have a meaning of their own here; the
// extended codes carry them in their lowest byte.
const (
	liteBusy      = 5
	liteLocked    = 6
	liteReadOnly  = 8
	liteInterrupt = 9
	liteIOError   = 10
	liteFull      = 13
	liteCantOpen  = 14
	liteNotADB    = 26
)

// liteNoTempDir is the extended code of SQLite's only error that sounds like
// a broken disk and is none.
const liteNoTempDir = liteIOError | 25<<8

// adviceForSQLite says what to do where SQLite's own words do not tell.
func adviceForSQLite(code int) string {
	if code == liteNoTempDir {
		return "SQLite finds no directory for temporary files, which need as much room as the largest table: set SQLITE_TMPDIR to one that this process may write to"
	}
	return ""
}

func classOfSQLite(code int) (result.Outcome, result.Reason) {
	switch code & 0xff {
	case liteBusy, liteLocked:
		return result.Locked, result.ReasonTableLocked
	case liteReadOnly:
		return result.Transient, result.ReasonReadOnly
	case liteInterrupt:
		return result.Transient, result.ReasonInterrupted
	case liteIOError, liteFull:
		return result.Transient, result.ReasonServerBusy
	case liteCantOpen:
		return result.Transient, result.ReasonDatabaseMissing
	case liteNotADB:
		return result.Permanent, result.ReasonUnknownDatabase
	}
	return result.Permanent, result.ReasonSQLError
}

// retriable reports whether the same run may mend the error by planning again:
// locks, lost connections, and a database that moved under the plan. A wrong
// password or a missing database does not mend within a run. The migration lock
// has been waited for already, for as long as a run tries again.
func retriable(e *Error) bool {
	return e.Failure.SQLiteCode != liteNoTempDir && slices.Contains([]result.Reason{
		result.ReasonTableLocked, result.ReasonDeadlock,
		result.ReasonChangedMeanwhile, result.ReasonUnreachable, result.ReasonServerBusy,
		result.ReasonDatabaseInUse,
	}, e.Reason)
}
