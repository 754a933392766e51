package openwebui

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// newUUID returns a random UUID as the application spells it.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// isTrue reports whether Python takes a value for true.
func isTrue(v pyjson.Value) bool {
	switch v := v.(type) {
	case bool:
		return v
	case pyjson.Int:
		return v != "0"
	case float64:
		return v != 0 // NaN is true
	case string:
		return v != ""
	case []pyjson.Value:
		return len(v) > 0
	case *pyjson.Object:
		return v.Len() > 0
	}
	return false
}

// textColumn returns what the application's drivers leave in a text column when
// they are handed a value of JSON: nil for null, a text as it is, a number or a
// boolean as the database spells it. Nothing else can be stored, and neither can
// half a surrogate pair, nor, on PostgreSQL, a zero character.
func textColumn(v pyjson.Value, dialect step.Dialect) (column any, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		return v, storable(v, dialect)
	case bool:
		switch {
		case dialect == step.Postgres:
			return strconv.FormatBool(v), true
		case v:
			return "1", true
		}
		return "0", true
	case pyjson.Int:
		_, err := strconv.ParseInt(string(v), 10, 64)
		return string(v), err == nil || dialect == step.Postgres
	case float64:
		if dialect == step.SQLite {
			return v, true // The column's affinity makes it a text, or NULL of NaN.
		}
		return numericText(v), true
	}
	return nil, false
}

// storable reports whether a column can hold a text.
func storable(s string, dialect step.Dialect) bool {
	return pyjson.IsText(s) && (dialect == step.SQLite || !strings.Contains(s, "\x00"))
}

// numericText spells a float as PostgreSQL spells the number that Python writes
// for it: without an exponent, but with the zero after the point that Python
// writes if it uses none.
func numericText(f float64) string {
	switch {
	case math.IsInf(f, 0):
		return pyjson.Encode(f)
	case f == 0:
		return "0.0" // there is no negative zero
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") && math.Abs(f) < 1e16 {
		text += ".0"
	}
	return text
}

// columnType returns the declared type of a column in lower case, empty if
// there is no such column.
func columnType(ctx context.Context, run *step.Run, table, column string) (declared string, err error) {
	query := `SELECT coalesce(max(format_type(atttypid, NULL)), '') FROM pg_attribute
		WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped`
	if run.Dialect == step.SQLite {
		query = `SELECT coalesce(max(lower(type)), '') FROM pragma_table_info($1) WHERE name = $2`
	}
	if err := run.Tx.QueryRowContext(ctx, query, table, column).Scan(&declared); err != nil {
		return "", fmt.Errorf("looking for the column %s of table %s: %w", column, table, err)
	}
	return declared, nil
}
