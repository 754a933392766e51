package bundle_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/schemagate/schemagate/internal/cmd/root"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestLatest runs the program as its README does: latest is the newest
// revision that it can apply, not one that only the manifest knows.
func TestLatest(t *testing.T) {
	t.Parallel()
	for name, open := range engines {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			var stdout, stderr bytes.Buffer
			code := root.Run(t.Context(), root.NewCmd(),
				[]string{"migrate", "--to", "latest", "--output", "json", "--database-url", p.url}, &stdout, &stderr)
			if code != result.ExitDone {
				t.Fatalf("exit code %d: %s", code, stderr.String())
			}
			lines := bytes.Split(bytes.TrimSpace(stdout.Bytes()), []byte("\n"))
			var got result.Result
			if err := json.Unmarshal(lines[len(lines)-1], &got); err != nil {
				t.Fatal(err)
			}
			if got.To != newest || got.Outcome != result.Done {
				t.Errorf("the result is %+v, want revision %d", got, newest)
			}
		})
	}
}
