package openwebui

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
)

// What follows are differences between Go and Python's re, int, float and str,
// in which the application reads model files.

// spaceClass are the characters that \s matches and strip removes in Python,
// for use in a class of a regular expression.
const spaceClass = `\t-\r\x1c- \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`

// patternClasses spells Python's classes in Go's syntax, where \s and \w are
// ASCII only. Python's \w is every letter and number of Unicode, and only those:
// regardless of case, Go would take a mark for the letter it is the form of.
var patternClasses = strings.NewReplacer(`\s`, `(?-i:[`+spaceClass+`])`, `\w`, `(?-i:[\pL\pN_])`)

// pattern compiles a regular expression of Python, to be matched regardless of
// case. Its letters must be literal, flags and classes apart.
//
// To Python the letter i is the same as the two Turkish ones, İ and ı. The
// other two letters with more than two forms, k and s, are the same to Go.
func pattern(expression string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)` + patternClasses.Replace(expression))
}

// anyCase makes a literal part of a pattern.
func anyCase(literal string) string {
	return strings.NewReplacer("i", "[iİı]", "I", "[iİı]").Replace(regexp.QuoteMeta(literal))
}

// strip removes white space from both ends, as Python's str.strip does. Go
// leaves the four separators U+001C to U+001F.
func strip(s string) string {
	return strings.TrimFunc(s, func(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f })
}

// maxDigits is how many digits Python's int reads by default.
const maxDigits = 4300

// digitRun is a run of digits, which single underscores may separate.
const digitRun = `[0-9]+(?:_[0-9]+)*`

var (
	intForm   = regexp.MustCompile(`^([+-]?)(` + digitRun + `)$`)
	floatForm = regexp.MustCompile(`(?i)^[+-]?(?:inf|infinity|(nan)|` +
		`(?:` + digitRun + `\.?|(?:` + digitRun + `)?\.` + digitRun + `)(?:e[+-]?` + digitRun + `)?)$`)
)

// parseInt reads an integer as Python's int does: in decimal digits of any
// script.
func parseInt(text string) (pyjson.Value, bool) {
	parts := intForm.FindStringSubmatch(numeral(text))
	if parts == nil {
		return nil, false
	}
	digits := strings.ReplaceAll(parts[2], "_", "")
	if len(digits) > maxDigits {
		return nil, false
	}
	digits = strings.TrimLeft(digits, "0")
	switch {
	case digits == "":
		return pyjson.Int("0"), true
	case parts[1] == "-":
		return pyjson.Int("-" + digits), true
	}
	return pyjson.Int(digits), true
}

// parseFloat reads a number as Python's float does. One too large is infinite.
func parseFloat(text string) (pyjson.Value, bool) {
	text = numeral(text)
	parts := floatForm.FindStringSubmatch(text)
	switch {
	case parts == nil:
		return nil, false
	case parts[1] != "":
		return math.NaN(), true // Go knows no NaN with a sign
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, false
	}
	return f, true
}

// numeral strips white space, though not the separators that strip removes,
// and turns decimal digits of any script into ASCII.
func numeral(text string) string {
	return strings.Map(func(c rune) rune {
		if c < unicode.MaxASCII {
			return c
		}
		if zero, ok := zeroOf(c); ok {
			return '0' + (c-zero)%10
		}
		return c
	}, strings.TrimFunc(text, unicode.IsSpace))
}

// zeroOf returns the start of the run of digits that a digit is in. The digits
// of a script follow each other from zero to nine, and so may whole scripts.
func zeroOf(c rune) (zero rune, ok bool) {
	if !unicode.IsDigit(c) {
		return 0, false
	}
	for unicode.IsDigit(c - 1) {
		c--
	}
	return c, true
}
