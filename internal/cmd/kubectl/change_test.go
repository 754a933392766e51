package kubectl

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestConfirm: nothing but a yes is one, and where nobody can be asked the flag
// is wanted.
func TestConfirm(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		terminal, yes bool
		answer        string
		code          int
	}{
		"yes":         {terminal: true, answer: "y\n"},
		"in full":     {terminal: true, answer: " YES\n"},
		"no":          {terminal: true, answer: "n\n", code: result.ExitRefused},
		"nothing":     {terminal: true, answer: "\n", code: result.ExitRefused},
		"end":         {terminal: true, code: result.ExitRefused},
		"else":        {terminal: true, answer: "yeah\n", code: result.ExitRefused},
		"no terminal": {answer: "y\n", code: result.ExitUsage},
		"flag":        {yes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSession()
			s.terminal = func(any) bool { return tc.terminal }
			cmd := &cobra.Command{}
			var out bytes.Buffer
			cmd.SetErr(&out)
			cmd.SetIn(strings.NewReader(tc.answer))
			if code := exit.Code(s.confirm(cmd, tc.yes, "Really?")); code != tc.code {
				t.Errorf("the code is %d, want %d", code, tc.code)
			}
			if asked := strings.Contains(out.String(), "Really? [y/N]"); asked != (tc.terminal && !tc.yes) {
				t.Errorf("it has written %q", out.String())
			}
		})
	}
}
