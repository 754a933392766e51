package appversion_test

import (
	"testing"

	"github.com/schemagate/schemagate/internal/appversion"
)

func TestParse(t *testing.T) {
	t.Parallel()
	accepted := map[string]appversion.Version{
		"0.11.0":              {Major: 0, Minor: 11, Patch: 0},
		"v0.10.2":             {Major: 0, Minor: 10, Patch: 2},
		"0.10.2-cuda":         {Major: 0, Minor: 10, Patch: 2},
		"v0.6.41-cuda126":     {Major: 0, Minor: 6, Patch: 41},
		"1.2.3-slim_x.y-z":    {Major: 1, Minor: 2, Patch: 3},
		"999999.0.999999":     {Major: 999999, Patch: 999999},
		"0.0.0":               {},
		"0.3.8-git-5be7cbf.1": {Minor: 3, Patch: 8},
	}
	for in, want := range accepted {
		got, err := appversion.Parse(in)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	refused := []string{
		"", "v", "0.11", "main", "latest", "git-5be7cbf", "0.11.0.1", "00.1.2", "0.01.2", "0.1.02", "V0.1.2",
		"vv0.1.2", " 0.1.2", "0.1.2 ", "0.1.2\n", "0.1.2-", "0.1.2+build", "0.1.2_cuda", "0.1.2cuda", "-1.0.0",
		"1000000.0.0", "0.1.2-é", "０.1.2",
	}
	for _, in := range refused {
		if got, err := appversion.Parse(in); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", in, got)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	ascending := []string{"0.0.1", "0.1.117", "0.2.0", "0.9.6", "0.10.0", "0.10.2", "0.11.0", "1.0.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			v, w := parse(t, a), parse(t, b)
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got := v.Compare(w); got != want {
				t.Errorf("%s.Compare(%s) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestNextPatch(t *testing.T) {
	t.Parallel()
	for of, want := range map[string]string{
		"0.11.1": "0.11.2", "0.11.999999": "0.12.0", "0.999999.999999": "1.0.0", "999999.999999.999999": "1000000.0.0",
	} {
		// The API bounds it at 20 characters.
		if got := parse(t, of).NextPatch().String(); got != want {
			t.Errorf("NextPatch of %s = %s, want %s", of, got, want)
		}
	}
}

func TestUnmarshalText(t *testing.T) {
	t.Parallel()
	var v appversion.Version
	if err := v.UnmarshalText([]byte("0.9.5")); err != nil || v.String() != "0.9.5" {
		t.Errorf("UnmarshalText(0.9.5) = %v, %v", v, err)
	}
	for _, in := range []string{"v0.9.5", "0.9.5-cuda", "0.9", "0.0.0"} {
		if err := v.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("UnmarshalText(%q) accepted what has another spelling", in)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0.11.0", "v0.10.2-cuda", "0.11", "1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := appversion.Parse(s)
		if err != nil || v.IsZero() {
			return
		}
		again, err := appversion.Parse(v.String())
		if err != nil || again != v {
			t.Errorf("Parse(%q) = %v, but Parse(%q) = %v, %v", s, v, v, again, err)
		}
		if !v.NextPatch().IsZero() && v.Compare(v.NextPatch()) != -1 {
			t.Errorf("%v is not before %v", v, v.NextPatch())
		}
	})
}

func parse(t *testing.T, s string) appversion.Version {
	t.Helper()
	v, err := appversion.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
