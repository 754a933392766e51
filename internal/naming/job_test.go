package naming_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/schemagate/schemagate/internal/naming"
)

func TestJob(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ schema, prefix string }{
		"short":                  {"open-webui", "open-webui-"},
		"with dots":              {"team.open-webui", "team.open-webui-"},
		"as long as names are":   {strings.Repeat("a", 63), strings.Repeat("a", 50) + "-"},
		"cut at a dash":          {strings.Repeat("a", 49) + "-bcd", strings.Repeat("a", 49) + "-"},
		"cut at dashes and dots": {strings.Repeat("a", 46) + ".---" + strings.Repeat("b", 9), strings.Repeat("a", 46) + "-"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := naming.Job(tc.schema, "uid", "73", "1")
			if !strings.HasPrefix(got, tc.prefix) || len(got) != len(tc.prefix)+12 {
				t.Errorf("Job(%q) = %q, want %q and 12 digits", tc.schema, got, tc.prefix)
			}
			if again := naming.Job(tc.schema, "uid", "73", "1"); again != got {
				t.Errorf("Job(%q) = %q, then %q", tc.schema, got, again)
			}
		})
	}
	seen := map[string][]string{}
	for _, parts := range [][]string{{"uid", "73", "1"}, {"uid", "73", "2"}, {"uid", "731"}, {"uid7", "3", "1"}, {"", "uid", "73", "1"}, {}} {
		name := naming.Job("open-webui", parts...)
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q are both %s", parts, other, name)
		}
		seen[name] = parts
	}
}

func FuzzJob(f *testing.F) {
	f.Add("open-webui", "uid")
	f.Add(strings.Repeat("a-", 31)+"b", "")
	f.Fuzz(func(t *testing.T, schema, part string) {
		if len(validation.IsDNS1123Subdomain(schema)) > 0 || len(schema) > 63 {
			return // the API server refuses such a schema
		}
		name := naming.Job(schema, part)
		if problems := append(validation.IsDNS1123Subdomain(name), validation.IsValidLabelValue(name)...); len(problems) > 0 {
			t.Errorf("Job(%q, %q) = %q: %v", schema, part, name, problems)
		}
		if name == naming.Job(schema, part, "") {
			t.Errorf("Job(%q, %q) does not tell an empty part", schema, part)
		}
	})
}
