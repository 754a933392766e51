package openwebui

import (
	"strings"
	"unicode"
)

// lower returns a text in lower case as Python's str.lower does. It differs from
// Go in two letters: İ becomes two code points, and Σ has another form at the end
// of a word.
func lower(s string) string {
	if !strings.ContainsAny(s, "İΣ") {
		return strings.ToLower(s)
	}
	letters := []rune(s)
	var b strings.Builder
	for i, c := range letters {
		switch {
		case c == 'İ':
			b.WriteString("i̇")
		case c == 'Σ' && endsWord(letters, i):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// endsWord reports whether a letter precedes position i and none follows it,
// apart from what stands in words without being a letter.
func endsWord(letters []rune, i int) bool {
	before := i - 1
	for before >= 0 && isCaseIgnorable(letters[before]) {
		before--
	}
	if before < 0 || !isCased(letters[before]) {
		return false
	}
	after := i + 1
	for after < len(letters) && isCaseIgnorable(letters[after]) {
		after++
	}
	return after == len(letters) || !isCased(letters[after])
}

// isCased is Unicode's property Cased.
func isCased(c rune) bool {
	return unicode.In(c, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// isCaseIgnorable is Unicode's property Case_Ignorable. The characters named are
// those that break words in no or few places: apostrophes, stops and colons.
func isCaseIgnorable(c rune) bool {
	return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", c)
}
