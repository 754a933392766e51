package openwebui

import (
	"context"
	_ "embed"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

const settingsReason = "data is not a JSON object, or holds what the database does not accept as a key or as JSON"

// settingsToRows is revision 63: every setting in the newest document becomes a
// row. The document is in config_old by then.
func settingsToRows(ctx context.Context, run *step.Run) error {
	return readSettings(ctx, run, "config_old", func(document string) error {
		settings, ok := settingsOf(document, run.Dialect)
		if !ok {
			return &step.DataError{Table: "config", Rows: 1, Reason: settingsReason}
		}
		rows := make([][]any, 0, settings.Len())
		for _, key := range settings.Names() {
			rows = append(rows, []any{key, pyjson.Encode(member(settings, key))})
		}
		total := int64(len(rows))
		run.Progress(total, total)
		return run.Insert(ctx, "config", []string{"key", "value"}, rows)
	})
}

// checkSettings counts the newest document if it cannot be converted.
func checkSettings(ctx context.Context, run *step.Run) (refused int64, err error) {
	err = readSettings(ctx, run, "config", func(document string) error {
		if _, ok := settingsOf(document, run.Dialect); !ok {
			refused++
		}
		return nil
	})
	return refused, err
}

// readSettings calls fn with the newest document of a table, if there is one.
func readSettings(ctx context.Context, run *step.Run, table string, fn func(document string) error) error {
	return run.Read(ctx, "SELECT data FROM "+table+" ORDER BY id DESC LIMIT 1", func(batch []step.Row) error {
		document, _ := batch[0].Text(0)
		return fn(document)
	})
}

// settingsOf returns the settings in a document by the keys of their rows. Of
// two settings that have the same key the first counts.
func settingsOf(document string, dialect step.Dialect) (*pyjson.Object, bool) {
	root, ok := settingsDocument(document)
	if !ok {
		return nil, false
	}
	byPath := &pyjson.Object{}
	walkSettings(root, "", byPath)

	settings := &pyjson.Object{}
	for _, path := range byPath.Names() {
		key := settingKey(path)
		if _, taken := settings.Get(key); taken {
			continue
		}
		value := member(byPath, path)
		if !storable(key, dialect) || !isStorableJSON(value, dialect) {
			return nil, false
		}
		settings.Set(key, value)
	}
	return settings, true
}

// settingsDocument reads a document, which may be in a JSON string. Nothing,
// such as null, an empty list and a string that is no JSON, are no settings.
func settingsDocument(document string) (*pyjson.Object, bool) {
	v, err := pyjson.Decode(document)
	if err != nil {
		return nil, false
	}
	if inner, ok := v.(string); ok {
		if v, err = pyjson.Decode(inner); err != nil {
			return &pyjson.Object{}, pyjson.IsText(inner)
		}
	}
	if root, ok := v.(*pyjson.Object); ok {
		return root, true
	}
	return &pyjson.Object{}, !isTrue(v)
}

// walkSettings adds the settings in an object by their paths, the names of the
// objects around them and their own, joined by dots. Of equal paths, which names
// with dots can lead to, the last counts, in the place of the first.
func walkSettings(o *pyjson.Object, prefix string, byPath *pyjson.Object) {
	for _, name := range o.Names() {
		path := name
		if prefix != "" {
			path = prefix + "." + name
		}
		value := member(o, name)
		if group, ok := value.(*pyjson.Object); ok && !isSetting(path) {
			walkSettings(group, path, byPath)
			continue
		}
		byPath.Set(path, value)
	}
}

// isSetting reports whether a path is that of a known setting, whose value may
// be an object, or its old name.
func isSetting(path string) bool {
	_, known := settingKeys[path]
	return known
}

// settingKey returns the key of the row that a path becomes.
func settingKey(path string) string {
	if key, known := settingKeys[path]; known {
		return key
	}
	return path
}

//go:embed settings.txt
var settingsText string

// settingKeys maps the paths and the old names of known settings to the keys of
// their rows. Where a name has several paths, all of them lead to the same key.
var settingKeys = func() map[string]string {
	keys := map[string]string{}
	for line := range strings.Lines(settingsText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		key := fields[0]
		if len(fields) == 3 {
			key = fields[2]
		}
		keys[fields[0]], keys[fields[1]] = key, key
	}
	return keys
}()
