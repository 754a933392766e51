package openwebui

import (
	"context"
	"errors"
	"fmt"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// groupMembers is revision 40: the members of a group get from a list in it to
// rows of their own.
var groupMembers = links{
	from: "group", query: `SELECT id, user_ids FROM "group" WHERE user_ids IS NOT NULL`,
	into: "group_member", columns: []string{"group_id", "user_id"},
	ids: memberIDs,
	to:  "user", missing: map[step.Dialect]missing{step.Postgres: refuseMissing, step.SQLite: keepMissing},
	reason: "user_ids holds something twice, or what is no user",
}

// knowledgeFiles is revision 44: the files of knowledge get from a list in it to
// rows of their own.
var knowledgeFiles = links{
	from: "knowledge", query: `SELECT id, data, user_id FROM knowledge WHERE data IS NOT NULL`,
	into: "knowledge_file", columns: []string{"knowledge_id", "file_id", "user_id"},
	ids: fileIDs,
	to:  "file", missing: map[step.Dialect]missing{step.Postgres: skipMissing, step.SQLite: skipMissing},
	reason: "file_ids in data is not a list, or holds something twice",
}

// links makes rows that link rows of one table to those of another from the ids
// that the former hold as JSON.
type links struct {
	// from is the table that holds the lists, query what to read of it: its id,
	// the JSON, and further columns for the link.
	from, query string
	// into is the table of the links, columns are those of its columns that are
	// not the same in all such tables: the two ids, and the further ones.
	into    string
	columns []string
	// ids returns the ids in a document, and false if they cannot be taken over.
	ids func(document pyjson.Value, dialect step.Dialect) (ids []string, ok bool)
	// to is the table of the ids, missing what becomes of one that is not there.
	to      string
	missing map[step.Dialect]missing
	// reason says in fixed words what is wrong with a row whose ids cannot be
	// taken over.
	reason string
}

// missing is what becomes of an id that does not exist.
type missing int

const (
	refuseMissing missing = iota
	skipMissing
	// keepMissing is for SQLite, where the application enforces no foreign keys.
	keepMissing
)

// linked is a row with the ids that it links to.
type linked struct {
	row step.Row
	ids []string
}

// check counts the rows whose ids cannot be taken over.
func (l links) check(ctx context.Context, run *step.Run) (int64, error) {
	return l.read(ctx, run, func([]linked) error { return nil })
}

// apply makes the links.
func (l links) apply(ctx context.Context, run *step.Run) error {
	at, err := now(ctx, run)
	if err != nil {
		return err
	}
	columns := append([]string{"id", "created_at", "updated_at"}, l.columns...)
	refused, err := l.read(ctx, run, func(batch []linked) error {
		var rows [][]any
		for _, one := range batch {
			for _, id := range one.ids {
				row := []any{newUUID(), at, at, text(one.row, 0), id}
				for i := 2; i < len(one.row); i++ {
					row = append(row, text(one.row, i))
				}
				rows = append(rows, row)
			}
		}
		return run.Insert(ctx, l.into, columns, rows)
	})
	if err == nil && refused > 0 {
		err = &step.DataError{Table: l.from, Rows: refused, Reason: l.reason}
	}
	return err
}

// read hands out the rows whose ids can be taken over, until there is one whose
// cannot, and counts the latter.
func (l links) read(ctx context.Context, run *step.Run, fn func(batch []linked) error) (refused int64, err error) {
	err = run.Read(ctx, l.query, func(batch []step.Row) error {
		all := make([]linked, 0, len(batch))
		for _, row := range batch {
			ids, ok := l.idsOf(row, run.Dialect)
			if !ok {
				refused++
				continue
			}
			all = append(all, linked{row, ids})
		}
		known, err := l.known(ctx, run, all)
		if err != nil {
			return err
		}
		good := all[:0]
		for _, one := range all {
			var ok bool
			if one.ids, ok = choose(one.ids, known, l.missing[run.Dialect]); !ok {
				refused++
				continue
			}
			good = append(good, one)
		}
		if refused > 0 {
			return nil // everything will be rolled back
		}
		return fn(good)
	})
	return refused, err
}

// idsOf returns the ids in a row. What Python does not take for true has none;
// a text is read as JSON once more.
func (l links) idsOf(row step.Row, dialect step.Dialect) (ids []string, ok bool) {
	source, _ := row.Text(1)
	document, err := pyjson.Decode(source)
	if err != nil {
		return nil, false
	}
	if inner, ok := document.(string); ok {
		if document, err = pyjson.Decode(inner); err != nil {
			return nil, true
		}
	}
	if !isTrue(document) {
		return nil, true
	}
	return l.ids(document, dialect)
}

// known returns which of the ids in a batch exist, nothing if that makes no
// difference.
func (l links) known(ctx context.Context, run *step.Run, batch []linked) (ids map[string]bool, err error) {
	ids = map[string]bool{}
	if l.missing[run.Dialect] == keepMissing {
		return ids, nil
	}
	list := []pyjson.Value{}
	for _, one := range batch {
		for _, id := range one.ids {
			list = append(list, id)
		}
	}
	function := "json_array_elements_text($1)"
	if run.Dialect == step.SQLite {
		function = "json_each($1)"
	}
	query := fmt.Sprintf(`SELECT id FROM %q WHERE id IN (SELECT value FROM %s)`, l.to, function)
	rows, err := run.Tx.QueryContext(ctx, query, pyjson.Encode(list))
	if err != nil {
		return nil, fmt.Errorf("looking for rows of table %s: %w", l.to, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("looking for rows of table %s: %w", l.to, err)
		}
		ids[id] = true
	}
	return ids, rows.Err()
}

// choose returns the ids to link to, and false if one is missing that must not
// be, or comes twice.
func choose(ids []string, known map[string]bool, rule missing) (chosen []string, ok bool) {
	seen := map[string]bool{}
	for _, id := range ids {
		if rule != keepMissing && !known[id] {
			if rule == refuseMissing {
				return nil, false
			}
			continue
		}
		if seen[id] {
			return nil, false
		}
		seen[id] = true
		chosen = append(chosen, id)
	}
	return chosen, true
}

// memberIDs returns the members in a group's user_ids. What is not a list has
// none.
func memberIDs(document pyjson.Value, dialect step.Dialect) (ids []string, ok bool) {
	list, _ := document.([]pyjson.Value)
	for _, v := range list {
		id, ok := idText(v, dialect)
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

// fileIDs returns the files in the data of knowledge. What is not an object has
// none. The application goes over file_ids whatever it is: over the names in an
// object and the characters of a text, and fails on the rest.
func fileIDs(document pyjson.Value, dialect step.Dialect) (ids []string, ok bool) {
	data, _ := document.(*pyjson.Object)
	if data == nil {
		return nil, true
	}
	v, ok := data.Get("file_ids")
	if !ok {
		return nil, true
	}
	var list []pyjson.Value
	switch v := v.(type) {
	case []pyjson.Value:
		list = v
	case *pyjson.Object:
		for _, name := range v.Names() {
			list = append(list, name)
		}
	case string:
		for _, c := range v {
			list = append(list, string(c))
		}
	default:
		return nil, false
	}
	for _, v := range list {
		switch v.(type) {
		case []pyjson.Value, *pyjson.Object:
			return nil, false
		}
		// What cannot be an id is none that exists.
		if id, ok := idText(v, dialect); ok {
			ids = append(ids, id)
		}
	}
	return ids, true
}

// idText returns the text that an id is stored as, and false if it cannot be.
func idText(v pyjson.Value, dialect step.Dialect) (id string, ok bool) {
	column, ok := textColumn(v, dialect)
	if !ok {
		return "", false
	}
	switch column := column.(type) {
	case string:
		return column, true
	case float64:
		return numericText(column), true
	}
	return "", false
}
