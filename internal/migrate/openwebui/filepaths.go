package openwebui

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// filePaths is revision 27: the path of a file gets from its meta into a column.
var filePaths = fill{
	table: "file", column: "path",
	query:  onBoth(`SELECT id, meta FROM file WHERE meta IS NOT NULL`),
	value:  filePath,
	reason: "meta is not the JSON that a path can be read from",
}

// pathName is the member that holds a path.
const pathName = "path"

// filePath returns the path that a meta holds. The application asks whether the
// name is in meta, whatever that is, and takes it out if so. That fails on a
// text or a list in which it is found, and on what nothing can be in.
func filePath(row step.Row, dialect step.Dialect) (any, bool) {
	source, _ := row.Text(1)
	if dialect == step.Postgres && !json.Valid([]byte(source)) {
		return nil, false // It could not become JSON.
	}
	v, err := pyjson.Decode(source)
	if err != nil {
		return nil, false
	}
	switch meta := v.(type) {
	case *pyjson.Object:
		return textColumn(member(meta, pathName), dialect)
	case []pyjson.Value:
		return nil, !slices.ContainsFunc(meta, func(v pyjson.Value) bool { return v == pathName })
	case string:
		return nil, !strings.Contains(meta, pathName)
	}
	return nil, false
}
