package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Revisions for SQLite build tables anew, because SQLite changes little of one
// that exists. What a user has put on such a table would go with the old one:
// indexes and triggers silently, and a view anywhere keeps a table from being
// renamed. So they are taken away before a revision and put back after it.
// Triggers do not fire for what a revision does.

// ownObject is a view, a trigger or an index as SQLite has stored it.
type ownObject struct{ kind, name, table, sql string }

// readOwn reads the views, triggers and indexes of a database. Those without
// words belong to constraints.
func readOwn(ctx context.Context, q step.Tx) (out []ownObject, err error) {
	rows, err := q.QueryContext(ctx, `SELECT type, name, tbl_name, sql FROM main.sqlite_schema
		WHERE type IN ('view', 'trigger', 'index') AND sql IS NOT NULL ORDER BY rowid`)
	if err != nil {
		return nil, fmt.Errorf("reading views, triggers and indexes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var o ownObject
		if err := rows.Scan(&o.kind, &o.name, &o.table, &o.sql); err != nil {
			return nil, fmt.Errorf("reading views, triggers and indexes: %w", err)
		}
		out = append(out, o)
	}
	return out, rows.Err()
}

// setAside takes views, triggers and the user's indexes away.
func (t *sqliteTx) setAside(ctx context.Context) error {
	if t.own != nil {
		return nil
	}
	found, err := readOwn(ctx, t.Conn)
	if err != nil {
		return err
	}
	t.own = []ownObject{}
	for _, o := range found {
		if o.kind != "index" || !t.engine.options.known(o.table, o.name) && !slices.Contains(BookkeepingTables(), o.table) {
			t.own = append(t.own, o)
		}
	}
	// Triggers on views would go with them.
	for _, kind := range []string{"trigger", "view", "index"} {
		for _, o := range t.own {
			if o.kind != kind {
				continue
			}
			if _, err := t.ExecContext(ctx, "DROP "+kind+" "+ident(o.name)); err != nil {
				return fmt.Errorf("setting the %s %s aside: %w", kind, o.name, err)
			}
		}
	}
	return nil
}

func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// putBack makes what was set aside again, and the indexes of the user's that have
// gone. It refuses to lose a column of the user's.
func (t *sqliteTx) putBack(ctx context.Context) error {
	if t.own == nil {
		return nil // nothing was altered
	}
	after, err := t.engine.inspect(ctx, t.Conn)
	if err != nil {
		return err
	}
	if err := t.refuseLostColumns(after); err != nil {
		return err
	}
	// Views before triggers, which may be on views.
	for _, kind := range []string{"view", "index", "trigger"} {
		for _, o := range t.own {
			if o.kind != kind || kind != "view" && !t.exists(after, o.table) {
				continue // It has gone with its table.
			}
			if _, err := t.ExecContext(ctx, o.sql); err != nil {
				return ownObjectError(o, err)
			}
		}
	}
	return t.tryViews(ctx)
}

// exists reports whether there is a table, or a view that has been put back.
func (t *sqliteTx) exists(after schemaFacts, table string) bool {
	return after.has(table) || slices.ContainsFunc(t.own, func(o ownObject) bool { return o.kind == "view" && o.name == table })
}

// tryViews asks every view for nothing: SQLite takes one whose columns are gone,
// and then renames no table any more.
func (t *sqliteTx) tryViews(ctx context.Context) error {
	for _, o := range t.own {
		if o.kind != "view" {
			continue
		}
		if _, err := t.ExecContext(ctx, "SELECT * FROM "+ident(o.name)+" LIMIT 0"); err != nil {
			return ownObjectError(o, err)
		}
	}
	return nil
}

func ownObjectError(o ownObject, err error) error {
	e := permanent(result.ReasonOwnObject, "the %s %s is not the application's and does not fit what the revision leaves: change or drop it, then try again",
		o.kind, o.name)
	e.Err = err
	e.Failure.Table, e.Failure.Found = o.table, []string{o.kind + " " + o.name}
	return e
}

// refuseLostColumns refuses a revision that has lost a column of a table which
// the bundle knows nothing of.
func (t *sqliteTx) refuseLostColumns(after schemaFacts) error {
	for table, before := range t.before.tables {
		if !after.has(table) {
			continue
		}
		for _, column := range before {
			if slices.Contains(after.tables[table], column) || t.engine.options.known(table, column) {
				continue
			}
			e := permanent(result.ReasonOwnObject,
				"the revision builds the table %s anew, and would lose the column %s, which is not the application's: keep it in a table of its own, drop it, then try again",
				table, column)
			e.Failure.Table, e.Failure.Column = table, column
			return e
		}
	}
	return nil
}

// knownNames returns a function that reports whether the bundle has a name in
// a revision that touches a table. It reads the files when it is first called.
func (o *Options) knownNames(engine bundle.Engine) func(table, name string) bool {
	var texts map[string]string
	return func(table, name string) bool {
		if texts == nil {
			texts = o.textsByTable(engine)
		}
		word := regexp.MustCompile(`(?i)(^|[^\w])` + regexp.QuoteMeta(name) + `($|[^\w])`)
		return word.MatchString(texts[table])
	}
}

var revisionFile = regexp.MustCompile(`^([0-9]{3})_`)

// textsByTable joins the files of the revisions that touch a table.
func (o *Options) textsByTable(engine bundle.Engine) map[string]string {
	texts := map[string]string{}
	// What cannot be read now could not be run before.
	_ = fs.WalkDir(o.Files, string(engine), func(name string, entry fs.DirEntry, err error) error {
		number := revisionFile.FindStringSubmatch(path.Base(name))
		if err != nil || entry.IsDir() || number == nil {
			return err
		}
		text, err := fs.ReadFile(o.Files, name)
		for _, r := range o.Bundle.Revisions {
			if fmt.Sprintf("%03d", r.Version) == number[1] {
				for _, table := range r.Touches {
					texts[table] += string(text) + "\n"
				}
			}
		}
		return err
	})
	return texts
}
