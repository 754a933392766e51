package kubectl

import (
	"bytes"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// TestRetry: what has failed is named and asked for again, and nothing else is.
func TestRetry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*v1alpha1.DatabaseSchema)
		asks   bool
		says   string
	}{
		"nothing":   {attempted(1, nil, 60, v1alpha1.AttemptSucceeded), false, "no attempt has failed (UpToDate)"},
		"under way": {attempted(1, nil, 60, v1alpha1.AttemptPending), false, "no attempt has failed"},
		"failed":    {attempted(1, nil, 60, v1alpha1.AttemptFailed), true, "Attempt 1 ended as UnknownDatabase: It is another one."},
		"lost":      {attempted(2, nil, 60, v1alpha1.AttemptLost), true, "Attempt 2 ended as -"},
		"backup": {func(s *v1alpha1.DatabaseSchema) {
			attempted(1, nil, 60, v1alpha1.AttemptSucceeded)(s)
			stalls("BackupFailed", "Job backup has failed.")(s)
		}, true, "BackupFailed: Job backup has failed."},
		"stalled otherwise": {stalls("DowngradeRequired", "Use another release."), false, "no attempt has failed (DowngradeRequired)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, api := newTestSession(), &stub{schema: newView(t).schema}
			tc.change(api.schema)
			s.client = api
			cmd := newRetryCmd(s)
			var out bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			cmd.SetArgs([]string{"open-webui"})
			if err := cmd.Execute(); err != nil {
				t.Fatal(err)
			}
			asks := strings.Contains(strings.Join(api.patches, ""), `"`+v1alpha1.AnnotationRetry+`":"`)
			if asks != tc.asks || !strings.Contains(out.String(), tc.says) {
				t.Errorf("it asks: %t, want %t, and says %q", asks, tc.asks, out.String())
			}
		})
	}
}
