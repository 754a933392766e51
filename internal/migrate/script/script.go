// Package script reads a revision file: its directives, and its statements one
// by one, so that an error can name the line even where the server reports no
// position, as it does for "relation already exists".
//
// It understands as much of the lexical structure of PostgreSQL and SQLite as
// is needed to find the end of a statement, and no grammar.
package script

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Script is a parsed revision file.
type Script struct {
	// NoTransaction says that the file must run outside a transaction, one
	// statement at a time, and may be repeated after a failure.
	NoTransaction bool
	// Parts are the statements and steps in the order of the file.
	Parts []Part
}

// Part is one statement or one Go step.
type Part struct {
	// SQL is the statement without its semicolon; empty for a step.
	SQL string
	// Step is the name of a Go step; empty for a statement.
	Step string
	// Line is the line of the part's first character, counted from 1.
	Line int
}

// Error is a mistake in a revision file.
type Error struct {
	// Line is where, counted from 1.
	Line int
	// Problem says what is wrong, without quoting the file.
	Problem string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

const (
	directivePrefix    = "-- schemagate:"
	directiveStep      = "step"
	directiveNoTx      = "no-transaction"
	problemUnknown     = "unknown schemagate directive"
	problemInside      = "a schemagate directive stands inside a statement"
	problemNoTxPlace   = "the directive no-transaction is allowed on the first line only"
	problemStepName    = "a step directive needs one name of lower-case letters and digits, in parts joined by hyphens or underscores"
	problemStepNoTx    = "a Go step needs a transaction, and the file says no-transaction"
	problemTransaction = "the file controls transactions itself, which only the engine may"
)

var stepName = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)

// Parse splits the body of a revision file. The error, if any, is an *Error.
func Parse(body string, dialect step.Dialect) (Script, error) {
	s := &scanner{text: body, line: 1, dialect: dialect}
	var out Script
	for {
		part, done, err := s.next(&out)
		if err != nil {
			return Script{}, err
		}
		if done {
			break
		}
		out.Parts = append(out.Parts, part)
	}
	return out, out.validate()
}

func (s Script) validate() error {
	for _, p := range s.Parts {
		if p.Step != "" && s.NoTransaction {
			return &Error{Line: p.Line, Problem: problemStepNoTx}
		}
		if controlsTransaction(p.SQL) {
			return &Error{Line: p.Line, Problem: problemTransaction}
		}
	}
	return nil
}

// controlsTransaction reports statements that would end the engine's
// transaction under its feet.
func controlsTransaction(sql string) bool {
	word, rest := firstWord(sql)
	switch word {
	case "BEGIN", "COMMIT", "ROLLBACK", "ABORT", "END":
		return true
	case "START", "PREPARE":
		second, _ := firstWord(rest)
		return second == "TRANSACTION"
	}
	return false
}

func firstWord(sql string) (word, rest string) {
	sql = strings.TrimLeft(sql, " \t\r\n")
	i := strings.IndexFunc(sql, func(c rune) bool { return !isWordRune(c) })
	if i < 0 {
		i = len(sql)
	}
	return strings.ToUpper(sql[:i]), sql[i:]
}

// directive reads a comment line that is addressed to the engine.
func (s *scanner) directive(comment string, out *Script) (Part, bool, error) {
	name, argument, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(comment, directivePrefix)), " ")
	argument = strings.TrimSpace(argument)
	switch {
	case name == directiveNoTx && argument == "":
		if s.line != 1 {
			return Part{}, false, &Error{Line: s.line, Problem: problemNoTxPlace}
		}
		out.NoTransaction = true
		return Part{}, false, nil
	case name == directiveStep:
		if !stepName.MatchString(argument) {
			return Part{}, false, &Error{Line: s.line, Problem: problemStepName}
		}
		return Part{Step: argument, Line: s.line}, true, nil
	}
	return Part{}, false, &Error{Line: s.line, Problem: problemUnknown}
}
