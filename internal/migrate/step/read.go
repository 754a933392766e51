package step

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"
)

// The bounds of a batch. A chat can weigh megabytes and a tag a few bytes, so
// the number of rows follows the size of those read so far: it starts small and
// aims at targetBytes. Were all rows as heavy as the heaviest one seen, a batch
// would hold boundBytes: a stretch of large documents after many small ones must
// not end a process that has a memory limit.
const (
	firstRows   = 16
	maxRows     = 1024
	targetBytes = 4 << 20
	boundBytes  = 32 << 20
)

// Row is one row as the driver returned it, in the order of the query's
// columns. Its methods level the differences between the drivers; i counts from
// 0.
type Row []any

// IsNull reports whether the column is SQL NULL.
func (r Row) IsNull(i int) bool { return r[i] == nil }

// Text returns a text or JSON column as it is stored, and whether it is not
// NULL. Other types are formatted as the driver's Go value prints.
func (r Row) Text(i int) (string, bool) {
	switch v := r[i].(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case []byte:
		return string(v), true
	case time.Time:
		return v.Format(time.RFC3339Nano), true
	default:
		return fmt.Sprint(v), true
	}
}

// Int returns an integer column, and whether it is an integer and not NULL.
func (r Row) Int(i int) (int64, bool) {
	v, ok := r[i].(int64)
	return v, ok
}

// Bool returns a boolean column, and whether it is one and not NULL. SQLite
// keeps booleans as 0 and 1.
func (r Row) Bool(i int) (value, ok bool) {
	switch v := r[i].(type) {
	case bool:
		return v, true
	case int64:
		return v != 0, true
	default:
		return false, false
	}
}

// Read streams the rows of query in batches to fn, in the order of the query.
// No statement is open while fn runs, so fn may write, also to the tables that
// the query reads: the rows are those that existed when Read began. Rows are
// fn's to keep. The query takes no parameters and ends without a semicolon. An
// error of fn ends the reading and is returned unchanged.
//
// On PostgreSQL it is a cursor, on SQLite a temporary table, because reading
// a table while changing it is undefined there. A check changes nothing, so its
// rows are not copied.
func (r *Run) Read(ctx context.Context, query string, fn func(batch []Row) error) error {
	r.cursors++
	name := fmt.Sprintf("schemagate_read_%d", r.cursors)
	switch {
	case r.Dialect == Postgres:
		return r.readCursor(ctx, name, query, fn)
	case r.readOnly:
		return r.readOpen(ctx, query, fn)
	}
	return r.readTemporary(ctx, name, query, fn)
}

// Stream is Read for an fn that writes to no table that the query reads. On
// SQLite that spares a copy of all rows: they are read while fn runs.
func (r *Run) Stream(ctx context.Context, query string, fn func(batch []Row) error) error {
	if r.Dialect == SQLite {
		return r.readOpen(ctx, query, fn)
	}
	return r.Read(ctx, query, fn)
}

// readOpen hands out rows while the statement that reads them is open, which only
// SQLite can do beside others.
func (r *Run) readOpen(ctx context.Context, query string, fn func([]Row) error) (err error) {
	rows, err := r.Tx.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	var batch []Row
	bytes := 0
	for rows.Next() {
		row, err := scan(rows, len(columns))
		if err != nil {
			return fmt.Errorf("reading rows: %w", err)
		}
		batch = append(batch, row)
		if bytes += weight(row); bytes < targetBytes && len(batch) < maxRows {
			continue
		}
		if err := fn(batch); err != nil {
			return err
		}
		batch, bytes = nil, 0
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	if len(batch) == 0 {
		return nil
	}
	return fn(batch)
}

func (r *Run) readCursor(ctx context.Context, name, query string, fn func([]Row) error) error {
	if _, err := r.Tx.ExecContext(ctx, "DECLARE "+name+" NO SCROLL CURSOR FOR "+query); err != nil {
		return fmt.Errorf("declaring a cursor: %w", err)
	}
	size := batchSize{rows: firstRows}
	for {
		// All that was asked for is sent, and has to be read.
		rows, err := r.fetch(ctx, math.MaxInt, fmt.Sprintf("FETCH FORWARD %d FROM %s", size.rows, name))
		if err != nil {
			return fmt.Errorf("reading a batch: %w", err)
		}
		if len(rows) == 0 {
			break
		}
		if err := fn(rows); err != nil {
			return err
		}
		size.adapt(rows)
	}
	if _, err := r.Tx.ExecContext(ctx, "CLOSE "+name); err != nil {
		return fmt.Errorf("closing a cursor: %w", err)
	}
	return nil
}

func (r *Run) readTemporary(ctx context.Context, name, query string, fn func([]Row) error) (err error) {
	if _, err := r.Tx.ExecContext(ctx, "CREATE TEMP TABLE "+name+" AS "+query); err != nil {
		return fmt.Errorf("copying rows to read: %w", err)
	}
	defer func() {
		// The table would outlive a rollback to nothing only on this
		// connection, but a repeated step must find the name free.
		if _, dropErr := r.Tx.ExecContext(context.WithoutCancel(ctx), "DROP TABLE temp."+name); dropErr != nil && err == nil {
			err = fmt.Errorf("dropping rows read: %w", dropErr)
		}
	}()
	var last int64
	for {
		rows, err := r.fetch(ctx, targetBytes, "SELECT * FROM temp."+name+" WHERE rowid > $1 ORDER BY rowid LIMIT $2", last, maxRows)
		if err != nil {
			return fmt.Errorf("reading a batch: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		last += int64(len(rows)) // a table made by SELECT numbers its rows from 1 without gaps
		if err := fn(rows); err != nil {
			return err
		}
	}
}

// fetch reads a result until it weighs as much as a limit, and closes it.
func (r *Run) fetch(ctx context.Context, limit int, query string, args ...any) (batch []Row, err error) {
	rows, err := r.Tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for bytes := 0; bytes < limit && rows.Next(); {
		row, err := scan(rows, len(columns))
		if err != nil {
			return nil, err
		}
		batch = append(batch, row)
		bytes += weight(row)
	}
	return batch, rows.Err()
}

func scan(rows *sql.Rows, columns int) (Row, error) {
	row := make(Row, columns)
	into := make([]any, columns)
	for i := range row {
		into[i] = &row[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	return row, nil
}

// batchSize is how many rows the next batch asks for.
type batchSize struct {
	rows int
	// heaviest is the weight of the heaviest row so far.
	heaviest int
}

// adapt sets the size from the mean weight of the rows just read and that of the
// heaviest one ever, at most four times the last size: the next rows may be
// heavier than these.
func (b *batchSize) adapt(rows []Row) {
	bytes := 0
	for _, row := range rows {
		n := weight(row)
		bytes += n
		b.heaviest = max(b.heaviest, n)
	}
	mean := max(1, bytes/len(rows))
	b.rows = max(1, min(targetBytes/mean, boundBytes/max(1, b.heaviest), 4*b.rows, maxRows))
}

func weight(row Row) int {
	bytes := 0
	for _, v := range row {
		switch v := v.(type) {
		case string:
			bytes += len(v)
		case []byte:
			bytes += len(v)
		default:
			bytes += 16
		}
	}
	return bytes
}
