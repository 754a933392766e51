package catalog

import (
	"strings"
	"unicode/utf8"
)

// tokenKind tells the parts of SQL apart.
type tokenKind int

const (
	tokenSymbol tokenKind = iota // one character that is nothing else
	tokenWord                    // a keyword, a bare name or a number
	tokenQuoted                  // a quoted name
	tokenString                  // a string literal
)

// token is a part of SQL. text is as written, quotes included; at and end are
// where it stands.
type token struct {
	kind    tokenKind
	text    string
	at, end int
}

// is reports whether a token is a keyword; a quoted name never is.
func (t token) is(keyword string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, keyword)
}

// symbol reports whether a token is a punctuation mark.
func (t token) symbol(s string) bool { return t.kind == tokenSymbol && t.text == s }

// name returns what a token names, without quotes.
func (t token) name() string {
	if t.kind != tokenQuoted && t.kind != tokenString || len(t.text) < 2 {
		return t.text
	}
	inner := t.text[1 : len(t.text)-1]
	if t.text[0] == '[' {
		return inner
	}
	quote := t.text[:1]
	return strings.ReplaceAll(inner, quote+quote, quote)
}

// tokens splits SQL that an engine has accepted and stored. Comments and blanks
// are dropped.
func tokens(sql string) []token {
	var out []token
	for at := 0; at < len(sql); {
		kind, end := scan(sql, at)
		if kind >= 0 {
			out = append(out, token{kind, sql[at:end], at, end})
		}
		at = end
	}
	return out
}

// scan returns the kind of what begins at a place, negative for what means
// nothing, and where it ends.
func scan(sql string, at int) (kind tokenKind, end int) {
	rest := sql[at:]
	switch c := rest[0]; {
	case strings.IndexByte(" \t\n\r\f\v", c) >= 0:
		return -1, at + 1
	case strings.HasPrefix(rest, "--"):
		return -1, at + until(rest, "\n", 2)
	case strings.HasPrefix(rest, "/*"):
		return -1, at + until(rest, "*/", 2)
	case c == '\'':
		return tokenString, at + quoted(rest)
	case c == '"' || c == '`':
		return tokenQuoted, at + quoted(rest)
	case c == '[' && strings.IndexByte(rest, ']') > 0:
		return tokenQuoted, at + until(rest, "]", 1)
	case wordByte(c):
		n := 1
		for n < len(rest) && wordByte(rest[n]) {
			n++
		}
		return tokenWord, at + n
	}
	return tokenSymbol, at + 1
}

// wordByte reports whether a byte can be part of a bare name or a number; every
// byte of a character beyond ASCII can.
func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// until returns where the first end after a beginning of some length ends, or
// the length of s.
func until(s, end string, from int) int {
	if i := strings.Index(s[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}

// quoted returns the length of the literal or name that s begins with, in which
// a doubled quote is one.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != s[0]:
		case i+1 < len(s) && s[i+1] == s[0]:
			i++
		default:
			return i + 1
		}
	}
	return len(s)
}

// unqualify removes the name of a schema from an expression of PostgreSQL, also
// from names in casts to regclass. How PostgreSQL writes names depends on the
// search path; afterwards it does not. prefix is the schema's name, quoted
// where it has to be.
func unqualify(expression, prefix string) string {
	if !strings.Contains(expression, strings.ReplaceAll(prefix, "'", "''")) && !strings.Contains(expression, prefix) {
		return expression
	}
	var out strings.Builder
	all := tokens(expression)
	from := 0
	for i, t := range all {
		switch {
		case t.kind == tokenString && i+3 < len(all) && all[i+1].symbol(":") && all[i+3].is("regclass"):
			name, found := strings.CutPrefix(t.name(), prefix+".")
			if found {
				out.WriteString(expression[from:t.at] + "'" + strings.ReplaceAll(name, "'", "''") + "'")
				from = t.end
			}
		case t.text == prefix && i+1 < len(all) && all[i+1].symbol(".") && (i == 0 || !all[i-1].symbol(".")):
			out.WriteString(expression[from:t.at])
			from = all[i+1].end
		}
	}
	return out.String() + expression[from:]
}

// plain writes SQL of SQLite in one way: SQLite keeps the words of whoever
// created an object, and two spellings of the same are no difference.
func plain(sql string) string {
	var out strings.Builder
	for _, t := range tokens(sql) {
		if out.Len() > 0 {
			out.WriteByte(' ')
		}
		switch name := strings.ToLower(t.name()); {
		case t.kind == tokenString || t.kind == tokenSymbol:
			out.WriteString(t.text)
		case t.kind == tokenQuoted && !isBare(name):
			out.WriteString(`"` + strings.ReplaceAll(name, `"`, `""`) + `"`)
		default:
			out.WriteString(name)
		}
	}
	return out.String()
}

// isBare reports whether a name reads as one word.
func isBare(name string) bool {
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if !wordByte(name[i]) {
			return false
		}
	}
	return true
}
