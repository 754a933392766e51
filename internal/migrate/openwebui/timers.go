package openwebui

import (
	"math"
	"strconv"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// chatTimers is revision 76: a chat that waits for a time gets that from its
// meta into a column.
//
// Where meta has a name twice, SQLite's own functions take the first and
// PostgreSQL's the last, as the application does there: it selects the chats
// with them. PostgreSQL's fail on JSON that it stores, such as a zero character,
// so there the query only leaves out what cannot be a timer. A name may be
// spelled with escapes.
var chatTimers = fill{
	table: "chat", column: "timer_at",
	query: map[step.Dialect]string{
		step.Postgres: `SELECT id, meta FROM chat WHERE CAST(meta AS text) LIKE '%timer!_at%' ESCAPE '!' OR CAST(meta AS text) LIKE '%\u00%' ESCAPE '!'`,
		step.SQLite: `SELECT id, meta FROM chat WHERE CASE WHEN json_valid(meta, 2)
			THEN json_extract(meta, '$.type') = 'timer' AND json_extract(meta, '$.status') = 'pending' END`,
	},
	value: timerOf,
}

func timerOf(row step.Row, dialect step.Dialect) (any, bool) {
	source, _ := row.Text(1)
	meta, ok := decodeObject(source)
	if !ok {
		return nil, true
	}
	if dialect == step.Postgres && (member(meta, "type") != "timer" || member(meta, "status") != "pending") {
		return nil, true
	}
	if at, ok := asInt64(member(meta, "timer_at")); ok {
		return at, true
	}
	return nil, true
}

// asInt64 turns a value into an integer as Python's int does, if that is one of
// 64 bits.
func asInt64(v pyjson.Value) (int64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		if v >= math.MinInt64 && v < -math.MinInt64 {
			return int64(v), true
		}
	case string:
		n, _ := parseInt(v)
		if n, ok := n.(pyjson.Int); ok {
			return asInt64(n)
		}
	case pyjson.Int:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}
