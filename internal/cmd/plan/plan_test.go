package plan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/appversion"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/migrate"
)

func sample() *migrate.Plan {
	breaking := bundle.Revision{
		Version: 5, ID: "abc", Name: "rename", App: appversion.Version{Minor: 10}, Label: bundle.Breaking, Destructive: true, LossyDown: "Notes are lost.",
	}
	return &migrate.Plan{
		From: 4, To: 5, Birth: bundle.BirthPeewee, Adopt: true,
		Steps: []migrate.PlanStep{{Revision: breaking, Direction: migrate.Up, File: "f", SHA256: "s", NoTransaction: true}},
	}
}

func TestPrintJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Print(&out, output.JSON, sample()); err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := document{From: 4, To: 5, Birth: "peewee", Adopt: true, Steps: []step{{
		Revision: 5, ID: "abc", Name: "rename", AppVersion: "0.10.0", Direction: "up", Label: "breaking", Fencing: true,
		Destructive: true, NoTransaction: true, SHA256: "s",
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrintText(t *testing.T) {
	t.Parallel()
	up, down, nothing := sample(), sample(), sample()
	down.Adopt, down.From, down.To, down.Steps[0].Direction = false, 5, 4, migrate.Down
	nothing.Steps = nil
	for name, tt := range map[string]struct {
		plan *migrate.Plan
		want []string
		not  string
	}{
		"up":      {up, []string{"Adopt the database at revision 4, birth peewee", "From revision 4 to 5", "destructive. outside a transaction."}, "Notes are lost."},
		"down":    {down, []string{"From revision 5 to 4", "one transaction each", "Notes are lost."}, "destructive"},
		"nothing": {nothing, []string{"Nothing to run: the database is at revision 4"}, "From revision"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := Print(&out, output.Text, tt.plan); err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the plan lacks %q:\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), tt.not) {
				t.Errorf("the plan has %q:\n%s", tt.not, out.String())
			}
		})
	}
}
