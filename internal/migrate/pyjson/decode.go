package pyjson

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// SyntaxError says why a text is not JSON, and never quotes it.
type SyntaxError struct {
	// Offset is the number of bytes before the place of the error.
	Offset int
	// Problem says what is wrong there.
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Problem) }

const (
	problemValue     = "a value is expected"
	problemName      = "a name in double quotes is expected"
	problemColon     = "a colon is expected"
	problemComma     = "a comma or the end of the list or object is expected"
	problemRest      = "there is something after the value"
	problemString    = "the string does not end"
	problemControl   = "a control character stands in a string"
	problemEscape    = "an escape in a string is not valid"
	problemDepth     = "lists and objects are nested too deeply"
	problemDigits    = "the integer has too many digits"
	problemUTF8      = "the text is not valid UTF-8"
	problemByteOrder = "the text begins with a byte order mark"
)

const byteOrderMark = "\ufeff"

// Decode reads one JSON value and nothing but white space around it. The error,
// if any, is a *SyntaxError.
func Decode(text string) (Value, error) {
	switch {
	case !utf8.ValidString(text):
		return nil, &SyntaxError{Problem: problemUTF8}
	case strings.HasPrefix(text, byteOrderMark):
		return nil, &SyntaxError{Problem: problemByteOrder}
	}
	d := &decoder{text: text}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.pos < len(text) {
		return nil, d.fail(problemRest)
	}
	return v, nil
}

type decoder struct {
	text string
	pos  int
}

func (d *decoder) fail(problem string) error { return &SyntaxError{Offset: d.pos, Problem: problem} }

func (d *decoder) space() {
	for d.pos < len(d.text) && strings.IndexByte(" \t\n\r", d.text[d.pos]) >= 0 {
		d.pos++
	}
}

// accept consumes a token if it is next.
func (d *decoder) accept(token string) bool {
	if !strings.HasPrefix(d.text[d.pos:], token) {
		return false
	}
	d.pos += len(token)
	return true
}

// words are the values that are spelled as words.
var words = []struct {
	word  string
	value Value
}{
	{"null", nil},
	{"true", true},
	{"false", false},
	{"NaN", math.NaN()},
	{"Infinity", math.Inf(1)},
	{"-Infinity", math.Inf(-1)},
}

// value reads a value; depth is how many lists and objects it is in.
func (d *decoder) value(depth int) (Value, error) {
	switch {
	case d.accept(`"`):
		return d.str()
	case d.accept("{"):
		return d.object(depth + 1)
	case d.accept("["):
		return d.list(depth + 1)
	}
	for _, w := range words {
		if d.accept(w.word) {
			return w.value, nil
		}
	}
	return d.number()
}

func (d *decoder) object(depth int) (Value, error) {
	if depth > MaxDepth {
		return nil, d.fail(problemDepth)
	}
	o := &Object{}
	if d.space(); d.accept("}") {
		return o, nil
	}
	for {
		if !d.accept(`"`) {
			return nil, d.fail(problemName)
		}
		name, err := d.str()
		if err != nil {
			return nil, err
		}
		if d.space(); !d.accept(":") {
			return nil, d.fail(problemColon)
		}
		d.space()
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		o.Set(name, v)
		if d.space(); d.accept("}") {
			return o, nil
		}
		if !d.accept(",") {
			return nil, d.fail(problemComma)
		}
		d.space()
	}
}

func (d *decoder) list(depth int) (Value, error) {
	if depth > MaxDepth {
		return nil, d.fail(problemDepth)
	}
	list := []Value{}
	if d.space(); d.accept("]") {
		return list, nil
	}
	for {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if d.space(); d.accept("]") {
			return list, nil
		}
		if !d.accept(",") {
			return nil, d.fail(problemComma)
		}
		d.space()
	}
}

// number reads an integer, or a float if a fraction or an exponent follows. A
// dot or an e that begins neither is left for the caller to stumble over.
func (d *decoder) number() (Value, error) {
	start := d.pos
	d.accept("-")
	switch digits := d.digits(d.pos); {
	case digits == 0:
		d.pos = start
		return nil, d.fail(problemValue)
	case d.text[d.pos] == '0':
		d.pos++
	default:
		d.pos += digits
	}
	whole := d.pos
	if d.pos < len(d.text) && d.text[d.pos] == '.' {
		if n := d.digits(d.pos + 1); n > 0 {
			d.pos += 1 + n
		}
	}
	d.exponent()
	if d.pos > whole {
		return parseFloat(d.text[start:d.pos]), nil
	}
	return d.integer(d.text[start:whole])
}

func (d *decoder) exponent() {
	end := d.pos
	if end == len(d.text) || d.text[end] != 'e' && d.text[end] != 'E' {
		return
	}
	end++
	if end < len(d.text) && (d.text[end] == '+' || d.text[end] == '-') {
		end++
	}
	if n := d.digits(end); n > 0 {
		d.pos = end + n
	}
}

func (d *decoder) integer(text string) (Value, error) {
	if len(strings.TrimPrefix(text, "-")) > maxDigits {
		return nil, d.fail(problemDigits)
	}
	if text == "-0" {
		text = "0"
	}
	return Int(text), nil
}

// digits counts the digits at an offset.
func (d *decoder) digits(at int) int {
	n := 0
	for at+n < len(d.text) && d.text[at+n] >= '0' && d.text[at+n] <= '9' {
		n++
	}
	return n
}

// parseFloat reads a number that is known to be well formed.
func parseFloat(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		panic("pyjson: a number is not one") // the caller has checked its form
	}
	return f // out of range it is an infinity
}

// str reads the rest of a string whose opening quote is consumed.
func (d *decoder) str() (string, error) {
	var b strings.Builder
	for {
		rest := d.text[d.pos:]
		i := 0
		for i < len(rest) && rest[i] != '"' && rest[i] != '\\' && rest[i] >= ' ' {
			i++
		}
		d.pos += i
		if i == len(rest) {
			return "", d.fail(problemString)
		}
		b.WriteString(rest[:i])
		switch rest[i] {
		case '"':
			d.pos++
			return b.String(), nil
		case '\\':
			d.pos++
			if err := d.escape(&b); err != nil {
				return "", err
			}
		default:
			return "", d.fail(problemControl)
		}
	}
}

// escapes are the characters that may follow a backslash, beside u, and what
// they stand for.
const (
	escapes   = `"\/bfnrt`
	unescaped = "\"\\/\b\f\n\r\t"
)

// escape reads what follows a backslash.
func (d *decoder) escape(b *strings.Builder) error {
	if d.pos < len(d.text) {
		if i := strings.IndexByte(escapes, d.text[d.pos]); i >= 0 {
			d.pos++
			b.WriteByte(unescaped[i])
			return nil
		}
	}
	c, ok := d.hex(d.pos)
	if !ok {
		return d.fail(problemEscape)
	}
	d.pos += hexLength
	if d.pos < len(d.text) && d.text[d.pos] == '\\' {
		low, ok := d.hex(d.pos + 1)
		if pair := utf16.DecodeRune(c, low); ok && pair != utf8.RuneError {
			d.pos += 1 + hexLength
			c = pair
		}
	}
	writeRune(b, c)
	return nil
}

// hexLength is the length of an escaped code unit without its backslash.
const hexLength = len("uXXXX")

// hex reads an escaped code unit without its backslash.
func (d *decoder) hex(at int) (rune, bool) {
	if len(d.text)-at < hexLength || d.text[at] != 'u' {
		return 0, false
	}
	var c rune
	for _, digit := range []byte(d.text[at+1 : at+hexLength]) {
		switch {
		case digit >= '0' && digit <= '9':
			c = c<<4 | rune(digit-'0')
		case digit|0x20 >= 'a' && digit|0x20 <= 'f':
			c = c<<4 | rune(digit|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return c, true
}
