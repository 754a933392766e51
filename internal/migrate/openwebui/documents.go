package openwebui

import (
	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// documents is revision 22: every document is copied to knowledge. Rows without
// what knowledge requires are another check's, in SQL.
var documents = conversion{
	from:    "document",
	query:   `SELECT collection_name, user_id, name, title, content, "timestamp" FROM document`,
	into:    "knowledge",
	columns: []string{"id", "user_id", "description", "name", "meta", "created_at", "updated_at"},
	convert: knowledgeOf,
	reason:  "content is not a JSON object, or holds a number as a tag that the database does not accept as JSON",
}

func knowledgeOf(row step.Row, dialect step.Dialect) ([]any, bool) {
	tags, ok := documentTags(row)
	if !ok || dialect == step.Postgres && !pyjson.IsFinite(tags) {
		return nil, false
	}
	meta := pyjson.NewObject("legacy", true, "document", true, "tags", tags)
	return []any{text(row, 0), text(row, 1), text(row, 2), text(row, 3), pyjson.Encode(meta), row[5], row[5]}, true
}

// documentTags returns the tags in a document's content: an empty list if it
// has none, JSON null if that is what it has.
func documentTags(row step.Row) (pyjson.Value, bool) {
	none := []pyjson.Value{}
	source, _ := row.Text(4)
	if source == "" {
		return none, true
	}
	content, ok := decodeObject(source)
	if !ok {
		return nil, false
	}
	if tags, ok := content.Get("tags"); ok {
		return tags, true
	}
	return none, true
}
