package step

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/lib/pq"
)

// sqliteRows is how many rows one INSERT carries on SQLite: enough to make the
// cost of a call vanish, few enough that the statement's parameters stay below
// SQLite's limit of 32766 at any width that the bundle has.
const sqliteRows = 100

// Insert adds rows to a table: by COPY on PostgreSQL, by multi-row INSERT on
// SQLite. Every row has one value per column: nil, string, []byte, int64, bool,
// float64 or time.Time. JSON is passed as a string. A string becomes whatever
// type the column has.
//
// Names are quoted here. Columns that are not named get their defaults.
func (r *Run) Insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	if err := checkWidth(rows, len(columns)); err != nil {
		return err
	}
	if len(rows) == 0 {
		return nil
	}
	if r.Dialect == Postgres {
		return r.copyIn(ctx, pq.QuoteIdentifier(table), columns, rows)
	}
	return r.insertMany(ctx, table, columns, rows)
}

// Update changes existing rows of a table. Every row has the values of the key
// columns first, then those to set; a row that matches no key changes nothing.
// On PostgreSQL the rows are copied into a temporary table and joined; on
// SQLite one prepared statement runs for each, in the same process.
func (r *Run) Update(ctx context.Context, table string, key, set []string, rows [][]any) error {
	if len(key) == 0 || len(set) == 0 {
		return fmt.Errorf("updating table %s: a key and something to set are needed", table)
	}
	if err := checkWidth(rows, len(key)+len(set)); err != nil {
		return err
	}
	if len(rows) == 0 {
		return nil
	}
	if r.Dialect == Postgres {
		return r.updateFromCopy(ctx, table, key, set, rows)
	}
	return r.updateEach(ctx, table, key, set, rows)
}

func checkWidth(rows [][]any, width int) error {
	for i, row := range rows {
		if len(row) != width {
			return fmt.Errorf("row %d has %d values for %d columns", i, len(row), width)
		}
	}
	return nil
}

// copyIn writes rows by COPY. target is quoted already.
func (r *Run) copyIn(ctx context.Context, target string, columns []string, rows [][]any) (err error) {
	stmt, err := r.Tx.PrepareContext(ctx, "COPY "+target+" ("+quoteAll(columns)+") FROM STDIN")
	if err != nil {
		return fmt.Errorf("starting COPY: %w", err)
	}
	defer func() {
		if closeErr := stmt.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("ending COPY: %w", closeErr)
		}
	}()
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, row...); err != nil {
			return fmt.Errorf("copying rows: %w", err)
		}
	}
	// Without this call errors of buffered rows would be lost: Close has no
	// way to tell them.
	if _, err := stmt.ExecContext(ctx); err != nil {
		return fmt.Errorf("copying rows: %w", err)
	}
	return nil
}

func (r *Run) updateFromCopy(ctx context.Context, table string, key, set []string, rows [][]any) error {
	r.cursors++
	temp := fmt.Sprintf("pg_temp.schemagate_update_%d", r.cursors)
	columns := append(append([]string{}, key...), set...)
	target := pq.QuoteIdentifier(table)

	// The temporary table takes its types from the real one, so that text goes
	// through the column's own input function and fails there if it must.
	create := "CREATE TEMP TABLE " + strings.TrimPrefix(temp, "pg_temp.") + " ON COMMIT DROP AS SELECT " +
		quoteAll(columns) + " FROM " + target + " WITH NO DATA"
	if _, err := r.Tx.ExecContext(ctx, create); err != nil {
		return fmt.Errorf("creating a temporary table: %w", err)
	}
	if err := r.copyIn(ctx, temp, columns, rows); err != nil {
		return err
	}
	if _, err := r.Tx.ExecContext(ctx, updateFrom(target, temp, key, set)); err != nil {
		return fmt.Errorf("updating table %s: %w", table, err)
	}
	if _, err := r.Tx.ExecContext(ctx, "DROP TABLE "+temp); err != nil {
		return fmt.Errorf("dropping a temporary table: %w", err)
	}
	return nil
}

func updateFrom(target, temp string, key, set []string) string {
	assign := make([]string, len(set))
	for i, c := range set {
		assign[i] = pq.QuoteIdentifier(c) + " = new_values." + pq.QuoteIdentifier(c)
	}
	match := make([]string, len(key))
	for i, c := range key {
		match[i] = "old_values." + pq.QuoteIdentifier(c) + " = new_values." + pq.QuoteIdentifier(c)
	}
	return "UPDATE " + target + " AS old_values SET " + strings.Join(assign, ", ") +
		" FROM " + temp + " AS new_values WHERE " + strings.Join(match, " AND ")
}

func (r *Run) insertMany(ctx context.Context, table string, columns []string, rows [][]any) error {
	for len(rows) > 0 {
		n := min(sqliteRows, len(rows))
		tuple := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
		query := "INSERT INTO " + pq.QuoteIdentifier(table) + " (" + quoteAll(columns) + ") VALUES " +
			strings.TrimSuffix(strings.Repeat(tuple+",", n), ",")
		args := make([]any, 0, n*len(columns))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		if _, err := r.Tx.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("inserting into table %s: %w", table, err)
		}
		rows = rows[n:]
	}
	return nil
}

func (r *Run) updateEach(ctx context.Context, table string, key, set []string, rows [][]any) (err error) {
	assign := make([]string, len(set))
	for i, c := range set {
		assign[i] = pq.QuoteIdentifier(c) + " = ?"
	}
	match := make([]string, len(key))
	for i, c := range key {
		match[i] = pq.QuoteIdentifier(c) + " = ?"
	}
	var stmt *sql.Stmt
	stmt, err = r.Tx.PrepareContext(ctx, "UPDATE "+pq.QuoteIdentifier(table)+" SET "+strings.Join(assign, ", ")+
		" WHERE "+strings.Join(match, " AND "))
	if err != nil {
		return fmt.Errorf("updating table %s: %w", table, err)
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for _, row := range rows {
		args := append(append(make([]any, 0, len(row)), row[len(key):]...), row[:len(key)]...)
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("updating table %s: %w", table, err)
		}
	}
	return nil
}

// quoteAll quotes identifiers, with double quotes, which both engines read.
func quoteAll(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = pq.QuoteIdentifier(c)
	}
	return strings.Join(quoted, ", ")
}
