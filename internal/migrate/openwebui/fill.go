package openwebui

import (
	"context"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// fill sets one column of rows that exist, and leaves alone those that need no
// change.
type fill struct {
	table, column string
	// query returns the rows to look at, their id first; checked, where it is
	// set, those that the check looks at instead.
	query, checked map[step.Dialect]string
	// value returns what the column becomes, nil to leave the row alone, and
	// false if the row cannot be converted.
	value func(row step.Row, dialect step.Dialect) (value any, ok bool)
	// reason says in fixed words what is wrong with a row that cannot be
	// converted.
	reason string
	// all says that query returns every row of the table, so that the end of the
	// work is known.
	all bool
}

// onBoth is a query that both engines read the same way.
func onBoth(query string) map[step.Dialect]string {
	return map[step.Dialect]string{step.Postgres: query, step.SQLite: query}
}

// check counts the rows that cannot be converted.
func (f fill) check(ctx context.Context, run *step.Run) (int64, error) {
	query, ok := f.checked[run.Dialect]
	if !ok {
		query = f.query[run.Dialect]
	}
	var refused int64
	err := run.Read(ctx, query, func(batch []step.Row) error {
		for _, v := range f.values(batch, run.Dialect) {
			if !v.ok {
				refused++
			}
		}
		return nil
	})
	return refused, err
}

// filled is what value returns.
type filled struct {
	value any
	ok    bool
}

// values returns what a batch of rows gets.
func (f fill) values(batch []step.Row, dialect step.Dialect) []filled {
	out := make([]filled, len(batch))
	inParallel(len(batch), func(i int) { out[i].value, out[i].ok = f.value(batch[i], dialect) })
	return out
}

// apply fills the column.
func (f fill) apply(ctx context.Context, run *step.Run) error {
	var done, total, refused int64
	if f.all {
		var err error
		if total, err = count(ctx, run, f.table); err != nil {
			return err
		}
	}
	err := run.Read(ctx, f.query[run.Dialect], func(batch []step.Row) error {
		var rows [][]any
		for i, v := range f.values(batch, run.Dialect) {
			switch {
			case !v.ok:
				refused++
			case v.value != nil:
				rows = append(rows, []any{text(batch[i], 0), v.value})
			}
		}
		done += int64(len(batch))
		run.Progress(done, total)
		if refused > 0 {
			return nil // everything will be rolled back
		}
		return run.Update(ctx, f.table, []string{"id"}, []string{f.column}, rows)
	})
	if err == nil && refused > 0 {
		err = &step.DataError{Table: f.table, Rows: refused, Reason: f.reason}
	}
	return err
}

// isStorableJSON reports whether a JSON column can hold a value.
func isStorableJSON(v pyjson.Value, dialect step.Dialect) bool {
	return dialect == step.SQLite || pyjson.IsFinite(v)
}
