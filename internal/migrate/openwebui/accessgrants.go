package openwebui

import (
	"context"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Revision 50 turns access_control of seven tables into rows of access_grant.

// grantTables are the tables, which are the types of resources, too. Their names
// need no quotes.
var grantTables = []string{"knowledge", "prompt", "tool", "model", "note", "channel", fileTable}

// fileTable is the table in which no access_control means private, and not
// readable for everybody as in all others.
const fileTable = "file"

var grantColumns = []string{
	"id", "resource_type", "resource_id", "principal_type", "principal_id", "permission", "created_at",
}

const reasonAccessControl = "read and write in access_control are not objects with lists of ids"

// grant is who may do what with a resource.
type grant struct{ principalType, principalID, permission string }

// everybody may read.
var everybody = grant{principalType: "user", principalID: "*", permission: "read"}

// checkAccessControl counts the rows that cannot be turned into grants. A table
// that has no access_control yet has none that could be wrong.
func checkAccessControl(ctx context.Context, run *step.Run) (int64, error) {
	var refused int64
	for _, table := range grantTables {
		declared, err := columnType(ctx, run, table, "access_control")
		if err != nil {
			return 0, err
		}
		if declared == "" {
			continue
		}
		err = run.Read(ctx, "SELECT access_control FROM "+table+" WHERE access_control IS NOT NULL", func(batch []step.Row) error {
			for _, row := range batch {
				if _, ok := grantsOf(row, 0, table, run.Dialect); !ok {
					refused++
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return refused, nil
}

// makeGrants fills access_grant.
func makeGrants(ctx context.Context, run *step.Run) error {
	at, err := now(ctx, run)
	if err != nil {
		return err
	}
	var done, total int64
	for _, table := range grantTables {
		n, err := count(ctx, run, table)
		if err != nil {
			return err
		}
		total += n
	}
	for _, table := range grantTables {
		var refused int64
		err := run.Read(ctx, "SELECT id, access_control FROM "+table, func(batch []step.Row) error {
			var rows [][]any
			for _, row := range batch {
				grants, ok := grantsOf(row, 1, table, run.Dialect)
				if !ok {
					refused++ // and everything will be rolled back
				}
				for _, g := range grants {
					rows = append(rows, []any{newUUID(), table, text(row, 0), g.principalType, g.principalID, g.permission, at})
				}
			}
			done += int64(len(batch))
			run.Progress(done, total)
			return run.Insert(ctx, "access_grant", grantColumns, rows)
		})
		if err != nil {
			return err
		}
		if refused > 0 {
			return &step.DataError{Table: table, Rows: refused, Reason: reasonAccessControl}
		}
	}
	return nil
}

// grantsOf returns the grants that column i of a row says, and false if the
// application cannot read it.
func grantsOf(row step.Row, i int, table string, dialect step.Dialect) (grants []grant, ok bool) {
	control, ok := accessControl(row, i, dialect)
	if !ok {
		return nil, false
	}
	if control == nil {
		if table == fileTable {
			return nil, true
		}
		return []grant{everybody}, true
	}
	object, ok := control.(*pyjson.Object)
	if !ok {
		return nil, true // nobody's, whatever it is
	}
	return namedGrants(object, dialect)
}

// accessControl returns the value of the column, nil for NULL, JSON null and the
// word null.
//
// The application reads texts that come from the database as JSON. Its driver
// for PostgreSQL has read the column by then, so that a text is one inside the
// JSON; the one for SQLite has not.
func accessControl(row step.Row, i int, dialect step.Dialect) (v pyjson.Value, ok bool) {
	source, found := row.Text(i)
	if !found || isNullWord(source) {
		return nil, true
	}
	v, err := pyjson.Decode(source)
	if err != nil {
		return nil, false
	}
	inner, isText := v.(string)
	switch {
	case !isText || dialect == step.SQLite:
		return v, true
	case isNullWord(inner):
		return nil, true
	}
	if v, err = pyjson.Decode(inner); err != nil {
		return inner, true
	}
	return v, true
}

func isNullWord(s string) bool { return strings.EqualFold(strip(s), "null") }

// namedGrants returns the grants to those who are named. The order is the one in
// which the application makes them.
func namedGrants(control *pyjson.Object, dialect step.Dialect) (grants []grant, ok bool) {
	type list struct {
		grant
		ids pyjson.Value
	}
	var lists []list
	named := false
	for _, permission := range []string{"read", "write"} {
		v, found := control.Get(permission)
		if !found {
			v = &pyjson.Object{}
		}
		principals, ok := v.(*pyjson.Object)
		if !ok {
			return nil, false
		}
		for _, principal := range []string{"group", "user"} {
			ids, found := principals.Get(principal + "_ids")
			if !found {
				ids = []pyjson.Value{}
			}
			named = named || isTrue(ids)
			lists = append(lists, list{grant{principal, "", permission}, ids})
		}
	}
	if !named {
		return nil, true
	}
	seen := map[grant]bool{}
	for _, l := range lists {
		ids, ok := principalIDs(l.ids, dialect)
		if !ok {
			return nil, false
		}
		for _, id := range ids {
			l.principalID = id
			if !seen[l.grant] {
				seen[l.grant] = true
				grants = append(grants, l.grant)
			}
		}
	}
	return grants, true
}

// principalIDs returns the ids in a list. One that is null is left out on
// SQLite, where the application goes on when it cannot be stored; on PostgreSQL
// that ends its transaction.
func principalIDs(v pyjson.Value, dialect step.Dialect) (ids []string, ok bool) {
	list, ok := v.([]pyjson.Value)
	if !ok {
		// To Python an empty text and an empty object are as good as an empty list.
		switch v := v.(type) {
		case string:
			return nil, v == ""
		case *pyjson.Object:
			return nil, v.Len() == 0
		}
		return nil, false
	}
	for _, element := range list {
		if element == nil && dialect == step.SQLite {
			continue
		}
		column, ok := textColumn(element, dialect)
		id, isText := column.(string)
		if !ok || !isText {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}
