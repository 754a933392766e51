// Package exit carries exit codes from commands to main.
package exit

import (
	"errors"

	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// Error is an error with an exit code.
type Error struct {
	// Code is the exit code.
	Code int
	// Err is what to print, nil when the command has said it already.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err == nil {
		return "reported already"
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Usage marks an error as one of the command line.
func Usage(err error) error { return &Error{Code: result.ExitUsage, Err: err} }

// Code returns the exit code that an error stands for.
func Code(err error) int {
	if err == nil {
		return result.ExitDone
	}
	if coded, ok := errors.AsType[*Error](err); ok {
		return coded.Code
	}
	if engine, ok := errors.AsType[*migrate.Error](err); ok {
		return engine.Outcome.ExitCode()
	}
	return result.ExitPermanent
}
