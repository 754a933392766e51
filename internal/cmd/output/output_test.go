package output_test

import (
	"os"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/cmd/output"
)

// TestIsTerminal: a progress bar is for terminals, and a device that merely takes
// characters is none.
func TestIsTerminal(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = null.Close() })
	// Whoever opens it gets the controlling end of a new terminal.
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	for name, tt := range map[string]struct {
		stream any
		want   bool
	}{
		"a null device": {null, false},
		"no file":       {&strings.Builder{}, false},
		"a terminal":    {terminal, true},
	} {
		if got := output.IsTerminal(tt.stream); got != tt.want {
			t.Errorf("%s is taken for a terminal: %t, want %t", name, got, tt.want)
		}
	}
}
