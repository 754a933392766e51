package bundle

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResolveOpenWebUI(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	tests := map[string]int{
		"latest":          76,
		"1":               1,
		"001":             1,
		"18":              18,
		"018":             18,
		"19":              19,
		"019":             19,
		"76":              76,
		"7e5b5dc7342b":    19,
		"018012973d35":    36,
		"f0bd01a18a3d":    73,
		"d4c1a8e37b62":    76,
		"0.1.117":         3,
		"0.1.119":         3,
		"0.1.120":         5,
		"0.3.6":           18,
		"0.3.7":           18,
		"0.3.8":           19,
		"0.6.6":           34,
		"0.9.5":           60,
		"0.9.6":           62,
		"0.10.0":          66,
		"v0.10.2":         66,
		"0.10.2-cuda":     66,
		"0.11.0":          73,
		"0.11.1":          76,
		"v0.11.1-ollama1": 76,
	}
	for ref, want := range tests {
		got, err := b.Resolve(ref)
		if err != nil || got.Version != want {
			t.Errorf("Resolve(%q) = %d, %v, want %d", ref, got.Version, err, want)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	for _, ref := range []string{
		"", "0", "000", "77", "-1", "+1", " 1", "0018", "1.0", "0.11", "main", "Latest", "head",
		"F0BD01A18A3D", "f0bd01a18a3", "initial_schema", "0.11.0.1", "07e5b5dc7342b",
	} {
		_, err := b.Resolve(ref)
		var unresolved *UnresolvedError
		if !errors.As(err, &unresolved) {
			t.Errorf("Resolve(%q) = %v, want an UnresolvedError", ref, err)
			continue
		}
		if diff := cmp.Diff(UnresolvedError{Ref: ref, Last: 76}, *unresolved); diff != "" {
			t.Errorf("Resolve(%q) differs (-want +got):\n%s", ref, diff)
		}
	}
	for ref, want := range map[string]string{
		"0.1.116": "0.1.116 is older than 0.1.117",
		"0.11.2":  "0.11.2 is newer than 0.11.1",
		"v1.0.0":  "1.0.0 is newer than 0.11.1",
	} {
		_, err := b.Resolve(ref)
		if !errors.Is(err, ErrUnknownAppVersion) || !strings.Contains(err.Error(), want) {
			t.Errorf("Resolve(%q) = %v, want ErrUnknownAppVersion with %q", ref, err, want)
		}
	}
}

func TestRequiredByOverlay(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	overlay := []Release{ // in no order
		{App: version(t, "0.12.0"), Revision: "76"},
		{App: version(t, "0.11.2"), Revision: "d4c1a8e37b62"},
	}
	for app, want := range map[string]int{"0.11.0": 73, "0.11.1": 76, "0.11.2": 76, "0.11.9": 76, "0.12.0": 76} {
		if got, err := b.RequiredBy(version(t, app), overlay...); err != nil || got.Version != want {
			t.Errorf("RequiredBy(%s) = %d, %v, want %d", app, got.Version, err, want)
		}
	}
	if _, err := b.RequiredBy(version(t, "0.12.1"), overlay...); !errors.Is(err, ErrUnknownAppVersion) {
		t.Errorf("RequiredBy(0.12.1) = %v, want ErrUnknownAppVersion", err)
	}
	if got, err := b.Resolve("0.11.2", overlay...); err != nil || got.Version != 76 {
		t.Errorf("Resolve(0.11.2) = %d, %v, want 76", got.Version, err)
	}
	if overlay[0].App != version(t, "0.12.0") {
		t.Error("RequiredBy() reordered the caller's overlay")
	}
}

func TestOverlayRefused(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	release := func(app, ref string) Release { return Release{App: version(t, app), Revision: ref} }
	tests := map[string]struct {
		overlay []Release
		want    string
	}{
		"known release":    {[]Release{release("0.11.1", "76")}, "release 0.11.1: the bundle knows the releases up to 0.11.1 itself"},
		"old release":      {[]Release{release("0.9.0", "58")}, "release 0.9.0: the bundle knows"},
		"no release":       {[]Release{release("", "76")}, "the bundle knows"},
		"twice":            {[]Release{release("0.11.2", "76"), release("0.11.2", "76")}, "release 0.11.2: it is listed twice"},
		"unknown revision": {[]Release{release("0.11.2", "77")}, `release 0.11.2: "77" is neither`},
		"no revision":      {[]Release{release("0.11.2", "")}, `release 0.11.2: "" is neither`},
		"app as revision":  {[]Release{release("0.11.2", "0.11.1")}, `release 0.11.2: "0.11.1" is neither`},
		"latest":           {[]Release{release("0.11.2", "latest")}, `release 0.11.2: "latest" is neither`},
		"older revision": {
			[]Release{release("0.11.2", "75")},
			"release 0.11.2: it cannot need revision 75 (6d09d1bf1f23) when the older release 0.11.1 needs revision 76",
		},
		"second one wrong": {[]Release{release("0.11.3", "1"), release("0.11.2", "76")}, "release 0.11.3: it cannot need revision 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := b.RequiredBy(version(t, "0.11.0"), test.overlay...)
			var overlay *OverlayError
			if !errors.As(err, &overlay) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("RequiredBy() = %v, want an OverlayError with %q", err, test.want)
			}
			if _, err := b.Releases(test.overlay...); !errors.As(err, &overlay) {
				t.Errorf("Releases() = %v, want an OverlayError", err)
			}
			if got := b.Interval(76, BirthPeewee, test.overlay...); got != (Interval{}) {
				t.Errorf("Interval() = %+v with an overlay that is not valid, want none", got)
			}
		})
	}
}

func TestReleases(t *testing.T) {
	t.Parallel()
	b := smallBundle(t)
	got, err := b.Releases(Release{App: version(t, "2.0.0"), Revision: "5"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Release{
		{App: version(t, "1.0.0"), Revision: "001"},
		{App: version(t, "1.1.0"), Revision: "0123456789ab"},
		{App: version(t, "1.2.0"), Revision: "ba9876543210"},
		{App: version(t, "1.3.0"), Revision: "cdef01234567"},
		{App: version(t, "1.3.1"), Revision: "cdef01234567"},
		{App: version(t, "2.0.0"), Revision: "cdef01234567"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Releases() differs (-want +got):\n%s", diff)
	}
}

func TestParseBirth(t *testing.T) {
	t.Parallel()
	for _, want := range []Birth{BirthPeewee, BirthPeewee095, BirthAlembic} {
		if got, err := ParseBirth(string(want)); err != nil || got != want {
			t.Errorf("ParseBirth(%q) = %q, %v", want, got, err)
		}
	}
	for _, s := range []string{"", "auto", "Peewee", "peewee-0.9", "alembic "} {
		if got, err := ParseBirth(s); err == nil || !strings.Contains(err.Error(), "peewee, peewee-0.9.5, alembic") {
			t.Errorf("ParseBirth(%q) = %q, %v, want an error that lists the births", s, got, err)
		}
	}
}

func TestBirthFor(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	for target, want := range map[int]Birth{1: BirthPeewee, 18: BirthPeewee, 60: BirthPeewee, 61: BirthAlembic, 76: BirthAlembic} {
		if got := b.BirthFor(target); got != want {
			t.Errorf("BirthFor(%d) = %s, want %s", target, got, want)
		}
	}
}
