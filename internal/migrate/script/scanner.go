package script

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// scanner walks through a file. pos is a byte offset, line the line of pos.
type scanner struct {
	text    string
	pos     int
	line    int
	dialect step.Dialect
}

// next returns the next statement or step; done at the end of the file.
func (s *scanner) next(out *Script) (part Part, done bool, err error) {
	for {
		s.skipSpace()
		switch {
		case s.pos >= len(s.text):
			return Part{}, true, nil
		case s.has("--"):
			part, found, err := s.lineComment(out)
			if err != nil || found {
				return part, false, err
			}
		case s.has("/*"):
			if err := s.blockComment(); err != nil {
				return Part{}, false, err
			}
		case s.text[s.pos] == ';':
			s.pos++ // an empty statement
		default:
			part, err := s.statement()
			return part, false, err
		}
	}
}

func (s *scanner) has(prefix string) bool { return strings.HasPrefix(s.text[s.pos:], prefix) }

// advance moves to the byte offset to and counts the lines passed.
func (s *scanner) advance(to int) {
	s.line += strings.Count(s.text[s.pos:to], "\n")
	s.pos = to
}

func (s *scanner) skipSpace() {
	rest := strings.TrimLeftFunc(s.text[s.pos:], func(c rune) bool { return unicode.IsSpace(c) || c == '\uFEFF' })
	s.advance(len(s.text) - len(rest))
}

// endOfLine returns the offset of the next line break or of the end.
func (s *scanner) endOfLine() int {
	if i := strings.IndexByte(s.text[s.pos:], '\n'); i >= 0 {
		return s.pos + i
	}
	return len(s.text)
}

// lineComment consumes a comment between statements, which may be a directive.
func (s *scanner) lineComment(out *Script) (part Part, found bool, err error) {
	end := s.endOfLine()
	comment := s.text[s.pos:end]
	if strings.HasPrefix(comment, directivePrefix) {
		part, found, err = s.directive(strings.TrimRight(comment, "\r"), out)
	}
	s.advance(end)
	return part, found, err
}

// statement consumes one statement and its semicolon.
func (s *scanner) statement() (Part, error) {
	start, line := s.pos, s.line
	var words nesting
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == ';' && words.depth == 0:
			sql := s.text[start:s.pos]
			s.pos++
			return Part{SQL: strings.TrimSpace(sql), Line: line}, nil
		case isWordByte(c):
			word := s.word()
			words.see(word, s.dialect)
			if err := s.stringPrefix(word); err != nil {
				return Part{}, err
			}
		default:
			if err := s.token(c); err != nil {
				return Part{}, err
			}
		}
	}
	return Part{SQL: strings.TrimSpace(s.text[start:s.pos]), Line: line}, nil
}

// token consumes one token that is no word.
func (s *scanner) token(c byte) error {
	switch {
	case c == '\'' || c == '"':
		return s.quoted(c, false)
	case c == '`' && s.dialect == step.SQLite:
		return s.quoted(c, false)
	case c == '[' && s.dialect == step.SQLite:
		return s.until("]", 1)
	case c == '$' && s.dialect == step.Postgres:
		return s.dollar()
	case s.has("--"):
		if s.has(directivePrefix) {
			return &Error{Line: s.line, Problem: problemInside}
		}
		s.advance(s.endOfLine())
		return nil
	case s.has("/*"):
		return s.blockComment()
	}
	_, size := utf8.DecodeRuneInString(s.text[s.pos:])
	s.advance(s.pos + size)
	return nil
}

func (s *scanner) word() string {
	end := s.pos
	for end < len(s.text) {
		c, size := utf8.DecodeRuneInString(s.text[end:])
		if !isWordRune(c) {
			break
		}
		end += size
	}
	word := s.text[s.pos:end]
	s.pos = end
	return word
}

// stringPrefix consumes a string right after the word E, in which backslashes
// escape.
func (s *scanner) stringPrefix(word string) error {
	if s.dialect == step.Postgres && (word == "E" || word == "e") && s.has("'") {
		return s.quoted('\'', true)
	}
	return nil
}

// quoted consumes a string or identifier; doubling the quote escapes it.
func (s *scanner) quoted(quote byte, backslash bool) error {
	for i := s.pos + 1; i < len(s.text); i++ {
		switch {
		case backslash && s.text[i] == '\\':
			i++
		case s.text[i] != quote:
		case i+1 < len(s.text) && s.text[i+1] == quote:
			i++
		default:
			s.advance(i + 1)
			return nil
		}
	}
	return &Error{Line: s.line, Problem: "a string or quoted name does not end"}
}

// until consumes everything up to and including mark, looked for from skip
// bytes ahead.
func (s *scanner) until(mark string, skip int) error {
	i := strings.Index(s.text[s.pos+skip:], mark)
	if i < 0 {
		return &Error{Line: s.line, Problem: "a string or quoted name does not end"}
	}
	s.advance(s.pos + skip + i + len(mark))
	return nil
}

// dollar consumes $tag$…$tag$, or a lone dollar sign, as in $1.
func (s *scanner) dollar() error {
	i := s.pos + 1
	for i < len(s.text) && isWordByte(s.text[i]) && s.text[i] != '$' {
		i++
	}
	tag := s.text[s.pos+1 : i]
	if i >= len(s.text) || s.text[i] != '$' || (tag != "" && tag[0] >= '0' && tag[0] <= '9') {
		s.pos++
		return nil
	}
	mark := s.text[s.pos : i+1]
	return s.until(mark, len(mark))
}

// blockComment consumes a comment; PostgreSQL nests them, SQLite does not.
func (s *scanner) blockComment() error {
	depth := 0
	for i := s.pos; i < len(s.text); i++ {
		switch rest := s.text[i:]; {
		case strings.HasPrefix(rest, "/*") && (depth == 0 || s.dialect == step.Postgres):
			depth++
			i++
		case strings.HasPrefix(rest, "*/"):
			depth--
			i++
			if depth == 0 {
				s.advance(i + 1)
				return nil
			}
		}
	}
	return &Error{Line: s.line, Problem: "a comment does not end"}
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// isWordRune includes the dollar sign, which may stand inside a name but not
// begin one, so that a$b$ is a name and no dollar quote.
func isWordRune(c rune) bool {
	return c == '_' || c == '$' || unicode.IsLetter(c) || unicode.IsDigit(c)
}

// nesting follows the bodies that contain semicolons of their own: triggers on
// SQLite, SQL-standard function bodies (BEGIN ATOMIC) on PostgreSQL.
type nesting struct {
	depth   int
	count   int
	trigger bool
	last    string
	create  bool
}

func (n *nesting) see(word string, dialect step.Dialect) {
	word = strings.ToUpper(word)
	n.count++
	switch {
	case n.depth > 0 && word == "CASE":
		n.depth++
	case n.depth > 0 && word == "END":
		n.depth--
	case n.depth == 0 && n.opens(word, dialect):
		n.depth = 1
	}
	n.last = word
}

// opens reports whether a word begins a body.
func (n *nesting) opens(word string, dialect step.Dialect) bool {
	if n.count == 1 {
		n.create = word == "CREATE"
	}
	if dialect == step.SQLite {
		// CREATE TRIGGER or CREATE TEMP TRIGGER.
		n.trigger = n.trigger || n.create && word == "TRIGGER" && n.count <= 3
		return n.trigger && word == "BEGIN"
	}
	return n.create && n.last == "BEGIN" && word == "ATOMIC"
}
