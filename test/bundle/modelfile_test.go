package bundle_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Models at revision 10: some that carry a model file, some that must stay what
// they are.
const modelsAt10 = `
INSERT INTO model (id, user_id, base_model_id, name, meta, params, created_at, updated_at) VALUES
	('ollama-full', 'u1', NULL, 'Full "x"', '{"profile_image_url": "/x.png", "description": null, "ollama": {"modelfile": "FROM q\n\u00e9"}, "suggestion_prompts": [{"content": null}], "categories": ["b", null], "user": {"z": 1.0, "community": true, "a": null}}', '{}', 3, 9),
	('ollama-bare', 'u2', NULL, 'Bare', '{"ollama": {"modelfile": ""}, "user": "no object"}', '{}', 2, 9),
	('ollama-broken', 'u1', NULL, 'Broken', '{no', '{}', 1, 1),
	('ollama-nan', 'u1', NULL, 'NaN', '{"ollama": {"modelfile": "FROM x"}, "description": NaN}', '{}', 1, 1),
	('ollama-list', 'u1', NULL, 'List', '[1]', '{}', 1, 1),
	('ollama-null', 'u1', NULL, 'Null', 'null', '{}', 1, 1),
	('ollama-number', 'u1', NULL, 'Number', '{"ollama": {"modelfile": 3}}', '{}', 1, 1),
	('Ollama-case', 'u1', NULL, 'Case', '{"ollama": {"modelfile": "FROM x"}}', '{}', 1, 1),
	('other', 'u1', NULL, 'Other', '{"ollama": {"modelfile": "FROM x"}}', '{}', 1, 1),
	('ollama-half', 'u1', NULL, 'Half', '{"ollama": {"modelfile": "\ud800"}}', '{}', 4, 4);
`

// TestModelFilesComeBack goes down from revision 10, whatever the application
// has written to model by then, and up again.
func TestModelFilesComeBack(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 10, bundle.BirthPeewee)
			p.load(t, modelsAt10)
			all := p.column(t, "SELECT id FROM model ORDER BY id")
			p.migrate(t, 9, bundle.BirthPeewee)

			tags := []string{"bare", "full"}
			stayed := []string{
				"Ollama-case", "ollama-broken", "ollama-half", "ollama-list", "ollama-nan", "ollama-null",
				"ollama-number", "other",
			}
			if dialect == step.SQLite { // It reads half of a surrogate pair, too.
				tags = append(tags, "half")
				stayed = slices.DeleteFunc(stayed, func(id string) bool { return id == "ollama-half" })
			}
			if diff := cmp.Diff(tags, p.column(t, "SELECT tag_name FROM modelfile ORDER BY id")); diff != "" {
				t.Errorf("the model files differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(stayed, p.column(t, "SELECT id FROM model ORDER BY id")); diff != "" {
				t.Errorf("the models that stayed differ (-want +got):\n%s", diff)
			}
			compareModelFile(t, p)

			p.migrate(t, 10, bundle.BirthPeewee)
			if diff := cmp.Diff(all, p.column(t, "SELECT id FROM model ORDER BY id")); diff != "" {
				t.Errorf("the models differ after going down and up (-before +after):\n%s", diff)
			}
		})
	}
}

// compareModelFile checks the one that has everything.
func compareModelFile(t *testing.T, p place) {
	t.Helper()
	want := `{"tagName":"full","imageUrl":"/x.png","title":"Full \"x\"","desc":null,"content":"FROM q\n\u00e9",` +
		`"suggestionPrompts":[{"content":null}],"categories":["b",null],"user":{"z":1.0,"a":null}}`
	if got := p.value(t, "SELECT replace(modelfile, ' ', '') FROM modelfile WHERE tag_name = 'full'"); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("the model file is\n%s\nwant, blanks aside,\n%s", got, want)
	}
	if got := p.value(t, `SELECT user_id || ' ' || "timestamp" FROM modelfile WHERE tag_name = 'full'`); got != "u1 3" {
		t.Errorf("owner and time are %q, want %q", got, "u1 3")
	}
}
