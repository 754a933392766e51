// Package appversion parses and orders the versions of an application: three
// numbers, as Open WebUI tags its releases.
package appversion

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Pattern matches an application version as people write it in image tags: an
// optional "v", exactly three numbers of at most six digits without leading
// zeros, and optionally a variant after a hyphen ("v0.10.2-cuda"). The
// admission policies use the same expression, so it keeps to what RE2 and CEL
// agree on. Six digits keep every number within the range that both can
// compare, and no release comes near.
const Pattern = `^v?(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})(-[A-Za-z0-9_.-]+)?$`

var pattern = regexp.MustCompile(Pattern)

// Version is a release of the application. The zero value is no release and
// orders before all of them. Versions are comparable with ==.
type Version struct {
	Major, Minor, Patch int32
}

// Parse reads a version, with or without a leading "v" and a variant suffix.
// The suffix says how an image was built, not what it contains, and is
// dropped: "v0.10.2-cuda" is 0.10.2. Anything that does not match Pattern,
// such as "0.11" or "main", is an error: a version is never completed by
// guessing.
func Parse(s string) (Version, error) {
	m := pattern.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("%q is not an application version: want three numbers, such as 0.11.0", s)
	}
	return Version{Major: number(m[1]), Minor: number(m[2]), Patch: number(m[3])}, nil
}

// number converts what Pattern has matched, at most six digits.
func number(s string) int32 {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		panic(err) // Pattern admits digits only
	}
	return int32(n)
}

// Compare returns -1 when v is older than w, 0 when they are the same release
// and +1 when v is newer.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// NextPatch returns the smallest version that is newer than v, as far as a number
// has at most six digits.
func (v Version) NextPatch() Version {
	switch {
	case v.Patch < maxNumber:
		return Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch + 1}
	case v.Minor < maxNumber:
		return Version{Major: v.Major, Minor: v.Minor + 1}
	}
	return Version{Major: v.Major + 1}
}

// maxNumber is the greatest number that a version can have.
const maxNumber = 999_999

// IsZero reports whether v is no release at all.
func (v Version) IsZero() bool { return v == Version{} }

// String returns the version as "major.minor.patch", and "" for the zero value.
func (v Version) String() string {
	if v.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// MarshalText writes the version as String does.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a version strictly: no "v" and no variant, because it
// reads manifests and API fields, where a version has one spelling.
func (v *Version) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	if parsed.String() != string(text) {
		return fmt.Errorf("%q is not a plain application version: write %s", text, parsed)
	}
	*v = parsed
	return nil
}
