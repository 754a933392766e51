package pyjson

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Encode writes a value as Python does by default: in ASCII, with a space after
// commas and colons. It panics if something else than a Value is in it. Whoever
// builds values must not nest them in themselves.
func Encode(v Value) string {
	var b strings.Builder
	encode(&b, v)
	return b.String()
}

func encode(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case Int:
		b.WriteString(string(v))
	case float64:
		b.WriteString(encodeFloat(v))
	case string:
		encodeString(b, v)
	case []Value:
		for i, w := range v {
			b.WriteString(separator(i, "["))
			encode(b, w)
		}
		b.WriteString(end(len(v), "[", "]"))
	case *Object:
		for i, name := range v.names {
			b.WriteString(separator(i, "{"))
			encodeString(b, name)
			b.WriteString(": ")
			encode(b, v.values[name])
		}
		b.WriteString(end(len(v.names), "{", "}"))
	default:
		panic(fmt.Sprintf("pyjson: %T is not a JSON value", v))
	}
}

func separator(i int, open string) string {
	if i == 0 {
		return open
	}
	return ", "
}

func end(n int, open, closing string) string {
	if n == 0 {
		return open + closing
	}
	return closing
}

func encodeFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return FormatFloat(f)
}

// FormatFloat writes a finite float as Python's repr does: the shortest digits
// that read back as the same number, with an exponent below 1e-4 and from 1e16.
func FormatFloat(f float64) string {
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func encodeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for len(s) > 0 {
		n := 0
		for n < len(s) && s[n] >= ' ' && s[n] <= '~' && s[n] != '"' && s[n] != '\\' {
			n++
		}
		b.WriteString(s[:n])
		if s = s[n:]; s == "" {
			break
		}
		c, size := decodeRune(s)
		encodeRune(b, c)
		s = s[size:]
	}
	b.WriteByte('"')
}

func encodeRune(b *strings.Builder, c rune) {
	if i := strings.IndexRune(unescaped, c); i >= 0 && c != '/' {
		b.WriteByte('\\')
		b.WriteByte(escapes[i])
		return
	}
	if c > 0xffff {
		high, low := utf16.EncodeRune(c)
		fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		return
	}
	fmt.Fprintf(b, `\u%04x`, c)
}

// Surrogates are in this range. Package utf8 refuses to encode them.
const (
	surrogateMin = 0xd800
	surrogateMax = 0xdfff
)

func writeRune(b *strings.Builder, c rune) {
	if c < surrogateMin || c > surrogateMax {
		b.WriteRune(c)
		return
	}
	// The code point 0x800 below is no surrogate and differs in one bit of the
	// second byte.
	bytes := utf8.AppendRune(nil, c-0x800)
	bytes[1] |= 0x20
	b.Write(bytes)
}

// decodeRune returns the first code point of a string, which may be half a
// surrogate pair, and its length in bytes. Bytes that are neither UTF-8 nor
// such a half cannot come from Decode; they turn into U+FFFD.
func decodeRune(s string) (c rune, size int) {
	if len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf && s[2]&0xc0 == 0x80 {
		return surrogateMin | rune(s[1]&0x1f)<<6 | rune(s[2]&0x3f), 3
	}
	return utf8.DecodeRuneInString(s)
}

// IsText reports whether a string is free of half surrogates, and so can be
// stored as text.
func IsText(s string) bool { return utf8.ValidString(s) }
