// Package result is the outcome of one run of the migration engine, in a form
// that may leave the process: the message that a migration pod leaves behind,
// its exit code, and the reasons in both.
//
// It holds names, numbers and codes only: never a server's message, a
// statement, a value of a row, a host or a password. It imports no database
// package, so that whoever reads the message needs none.
package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode"
)

// MaxBytes is the size limit of an encoded result: what a kubelet keeps of
// a container's termination message.
const MaxBytes = 4096

// Kind marks a line of JSON output as a Result.
const Kind = "result"

// Outcome is the class of a result. It decides whether and when to try again.
type Outcome string

// The outcomes, each with its exit code.
const (
	// Done: the database is at the target, or the plan was printed.
	Done Outcome = "done"
	// Usage: the command line or an option is wrong; nothing was attempted.
	Usage Outcome = "usage"
	// Transient: something outside must mend or calm down, and the same call
	// may then succeed: no connection, a server starting, a wrong password,
	// a missing database, an interrupt.
	Transient Outcome = "transient"
	// Permanent: the same call fails again until the bundle, the options or
	// the data change: an SQL error, a checksum that differs, an unknown
	// database.
	Permanent Outcome = "permanent"
	// Refused: a preflight check or a policy forbids the migration; nothing
	// was changed.
	Refused Outcome = "refused"
	// Locked: tables or the migration lock were held by others for longer
	// than allowed; nothing is half done and the same call may succeed later.
	Locked Outcome = "locked"
)

// Exit codes. They are stable. They stay clear of 1 and 2, which the Go
// runtime and shells use, and of 126 and more, which mean signals.
const (
	ExitDone      = 0
	ExitUsage     = 10
	ExitTransient = 11
	ExitPermanent = 12
	ExitRefused   = 13
	ExitLocked    = 14
	// ExitDrift is what "schemagate verify" ends with when it finds drift. No
	// outcome has it.
	ExitDrift = 15
)

// ExitCode returns the exit code of the outcome. An outcome that this version
// does not know is permanent: nobody retries blindly what they cannot read.
func (o Outcome) ExitCode() int {
	switch o {
	case Done:
		return ExitDone
	case Usage:
		return ExitUsage
	case Transient:
		return ExitTransient
	case Refused:
		return ExitRefused
	case Locked:
		return ExitLocked
	case Permanent:
		return ExitPermanent
	}
	return ExitPermanent
}

// FromExitCode returns the outcome that an exit code stands for, and false for
// a code that is none of ours, such as that of a killed process.
func FromExitCode(code int) (Outcome, bool) {
	for _, o := range []Outcome{Done, Usage, Transient, Permanent, Refused, Locked} {
		if o.ExitCode() == code {
			return o, true
		}
	}
	return "", false
}

// Result is the outcome of one run.
type Result struct {
	// Kind is always "result"; progress lines have another kind.
	Kind string `json:"kind"`
	// Outcome is the class.
	Outcome Outcome `json:"outcome"`
	// Reason is one of the constants in this package, empty when done.
	Reason Reason `json:"reason,omitempty"`
	// From and To are the revision before the run and after it; 0 is an empty
	// database. To is what the database holds, also after a failure.
	From int `json:"from"`
	To   int `json:"to"`
	// Target is the revision that was asked for.
	Target int `json:"target,omitempty"`
	// ID and AppVersion belong to To.
	ID         string `json:"id,omitempty"`
	AppVersion string `json:"appVersion,omitempty"`
	// Birth is the database's origin as the bundle names it.
	Birth string `json:"birth,omitempty"`
	// AdoptedAt is the revision at which this run adopted the database; 0 when
	// it did not.
	AdoptedAt int `json:"adoptedAt,omitempty"`
	// Applied is the number of revisions that this run committed.
	Applied int `json:"applied"`
	// DurationSeconds is the wall-clock time of the run.
	DurationSeconds float64 `json:"durationSeconds"`
	// Drift is how the database differs from what its revision leaves, before
	// the first revision of this run, and after the last one; absent if it does
	// not, or has not been compared.
	Drift *Drift `json:"drift,omitempty"`
	// Tables are the largest of those that revisions of the bundle touch, the
	// largest first; absent where the server keeps no count.
	Tables []Table `json:"tables,omitempty"`
	// Failure is where and why it failed; absent when done.
	Failure *Failure `json:"failure,omitempty"`
}

// Drift is what a comparison of catalogs has found.
type Drift struct {
	// Count is the number of differences.
	Count int `json:"count"`
	// Differences name tables, columns and the like; they are shortened to fit
	// MaxBytes.
	Differences []string `json:"differences,omitempty"`
}

// Table is a table's size, as the server estimates it.
type Table struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	// Bytes are those of the rows and of what is stored outside of them, without
	// indexes.
	Bytes int64 `json:"bytes"`
}

// Failure says where a run failed.
type Failure struct {
	// Revision and Direction ("up", "down") name the file, Line the line in it,
	// counted from 1; 0 when unknown.
	Revision  int    `json:"revision,omitempty"`
	Direction string `json:"direction,omitempty"`
	Line      int    `json:"line,omitempty"`
	// SQLState is PostgreSQL's code, SQLiteCode SQLite's extended result code.
	SQLState   string `json:"sqlState,omitempty"`
	SQLiteCode int    `json:"sqliteCode,omitempty"`
	// Table, Column and Constraint are named by the server.
	Table      string `json:"table,omitempty"`
	Column     string `json:"column,omitempty"`
	Constraint string `json:"constraint,omitempty"`
	// Step is the Go step that failed.
	Step string `json:"step,omitempty"`
	// Blockers held the locks that were waited for.
	Blockers []Blocker `json:"blockers,omitempty"`
	// Checks are the preflight checks that failed.
	Checks []Check `json:"checks,omitempty"`
	// Found lists what was found instead of what was expected: names of
	// tables, revisions, differences of a catalog, an owner.
	Found []string `json:"found,omitempty"`
	// Truncated says that lists were shortened to fit MaxBytes.
	Truncated bool `json:"truncated,omitempty"`
}

// Blocker is a group of sessions that hold a lock.
type Blocker struct {
	// Application is the sessions' application_name; it may be empty.
	Application string `json:"application"`
	// PID is the server process of one of them.
	PID int `json:"pid"`
	// Count is how many there are.
	Count int `json:"count"`
}

// Check is a preflight check that failed.
type Check struct {
	Name     string `json:"name"`
	Revision int    `json:"revision"`
	Rows     int64  `json:"rows"`
}

// ExitCode returns the exit code of the result's outcome.
func (r Result) ExitCode() int { return r.Outcome.ExitCode() }

// Encode returns the result as one line of JSON without a line break, at most
// MaxBytes long: names are cleaned of control characters and shortened, and
// lists are halved until it fits.
func (r Result) Encode() ([]byte, error) {
	r.Kind = Kind
	r = r.clean()
	for {
		line, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encoding a result: %w", err)
		}
		if len(line) <= MaxBytes {
			return line, nil
		}
		if n := len(r.Tables); n > 0 {
			r.Tables = r.Tables[:n/2]
			continue
		}
		if r.Drift.halve() {
			continue
		}
		if r.Failure == nil || !r.Failure.halve() {
			return nil, fmt.Errorf("encoding a result: %d bytes do not fit %d", len(line), MaxBytes)
		}
	}
}

// Decode reads what Encode wrote, and refuses anything else.
func Decode(line []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(line, &r); err != nil {
		// The decoder's error quotes the input, which may be anything that
		// a container printed last.
		return Result{}, errors.New("not a result: invalid JSON")
	}
	if r.Kind != Kind || r.Outcome == "" {
		return Result{}, errors.New("not a result: kind or outcome missing")
	}
	return r, nil
}

// maxName bounds every string: identifiers have at most 63 bytes on
// PostgreSQL, differences of a catalog are short sentences.
const maxName = 200

func (r Result) clean() Result {
	r.Reason = Reason(cleanName(string(r.Reason)))
	r.ID, r.AppVersion, r.Birth = cleanName(r.ID), cleanName(r.AppVersion), cleanName(r.Birth)
	if r.Drift != nil {
		r.Drift = &Drift{Count: r.Drift.Count, Differences: cleanAll(r.Drift.Differences, cleanName)}
	}
	r.Tables = cleanAll(r.Tables, func(t Table) Table { t.Name = cleanName(t.Name); return t })
	if r.Failure == nil {
		return r
	}
	f := *r.Failure
	f.Direction, f.SQLState, f.Step = cleanName(f.Direction), cleanName(f.SQLState), cleanName(f.Step)
	f.Table, f.Column, f.Constraint = cleanName(f.Table), cleanName(f.Column), cleanName(f.Constraint)
	f.Blockers = cleanAll(f.Blockers, func(b Blocker) Blocker { b.Application = cleanName(b.Application); return b })
	f.Checks = cleanAll(f.Checks, func(c Check) Check { c.Name = cleanName(c.Name); return c })
	f.Found = cleanAll(f.Found, cleanName)
	r.Failure = &f
	return r
}

func cleanAll[T any](in []T, clean func(T) T) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = clean(v)
	}
	return out
}

// cleanName drops what could break a line, a terminal or a JSON reader, and
// cuts at maxName bytes without splitting a character.
func cleanName(s string) string {
	var out []rune
	bytes := 0
	for _, c := range s {
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			c = '?'
		}
		if bytes += len(string(c)); bytes > maxName {
			break
		}
		out = append(out, c)
	}
	return string(out)
}

// halve shortens the list, and reports whether there was one.
func (d *Drift) halve() bool {
	if d == nil || len(d.Differences) == 0 {
		return false
	}
	d.Differences = d.Differences[:len(d.Differences)/2]
	return true
}

// halve shortens the longest list, and reports whether there was one.
func (f *Failure) halve() bool {
	n := max(len(f.Blockers), len(f.Checks), len(f.Found))
	switch n {
	case 0:
		return false
	case len(f.Found):
		f.Found = f.Found[:n/2]
	case len(f.Blockers):
		f.Blockers = f.Blockers[:n/2]
	default:
		f.Checks = f.Checks[:n/2]
	}
	f.Truncated = true
	return true
}
