package openwebui

import (
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// modelfiles is revision 10: every model file becomes a model.
var modelfiles = conversion{
	from:    "modelfile",
	query:   `SELECT tag_name, user_id, modelfile, "timestamp" FROM modelfile`,
	into:    "model",
	columns: []string{"id", "user_id", "base_model_id", "name", "meta", "params", "created_at", "updated_at"},
	convert: modelOf,
	reason:  "modelfile is not a JSON object with a title and a text as content, or its user is not an object",
}

func modelOf(row step.Row, dialect step.Dialect) ([]any, bool) {
	tag, _ := row.Text(0)
	source, _ := row.Text(2)
	file, ok := decodeObject(source)
	if !ok {
		return nil, false
	}
	content, ok := member(file, "content").(string)
	if !ok {
		return nil, false
	}
	name, ok := modelName(member(file, "title"), dialect)
	if !ok {
		return nil, false
	}
	user, ok := modelUser(file)
	if !ok {
		return nil, false
	}
	base, params := scanModelfile(content)
	meta := pyjson.NewObject(
		"description", member(file, "desc"),
		"profile_image_url", member(file, "imageUrl"),
		"ollama", pyjson.NewObject("modelfile", content),
		"suggestion_prompts", member(file, "suggestionPrompts"),
		"categories", member(file, "categories"),
		"user", user,
	)
	return []any{
		"ollama-" + tag, text(row, 1), base, name, pyjson.Encode(meta), pyjson.Encode(params), row[3], row[3],
	}, true
}

// modelName returns the name that a title becomes. The application stores a
// title that is no text as Python prints it; a list or an object, which would
// be Python source code then, is refused.
func modelName(title pyjson.Value, dialect step.Dialect) (string, bool) {
	switch title := title.(type) {
	case string:
		storable := pyjson.IsText(title) && (dialect == step.SQLite || !strings.Contains(title, "\x00"))
		return title, storable
	case pyjson.Int:
		return string(title), true
	case bool:
		if title {
			return "True", true
		}
		return "False", true
	case float64:
		return pyjson.FormatFloat(title), pyjson.IsFinite(title)
	}
	return "", false
}

// modelUser returns the user that a model file names, marked as one of the
// community.
func modelUser(file *pyjson.Object) (*pyjson.Object, bool) {
	v, ok := file.Get("user")
	if !ok {
		v = &pyjson.Object{}
	}
	user, ok := v.(*pyjson.Object)
	if ok {
		user.Set("community", true)
	}
	return user, ok
}
