package openwebui

import "testing"

func TestLower(t *testing.T) {
	t.Parallel()
	// What Python 3.11 returns.
	for text, want := range map[string]string{
		"":               "",
		"Work Stuff":     "work stuff",
		"ÄÖÜ ẞ":          "äöü ß",
		"İI":             "i̇i",
		"ΟΔΟΣ ΣΑΣ":       "οδος σας",
		"Σ":              "σ",
		"Α.Σ":            "α.ς",
		"ΑΣ.Α":           "ασ.α",
		"Α\u0301Σ\u00ad": "α\u0301ς\u00ad",
		"1Σ":             "1σ",
		"ΑΣ1":            "ας1",
		"ʰΣ":             "ʰσ",
		"ⓐΣ":             "ⓐς",
		"Ⅷ Ꭰ":            "ⅷ ꭰ",
	} {
		if got := lower(text); got != want {
			t.Errorf("lower(%q) = %q, want %q", text, got, want)
		}
	}
}
