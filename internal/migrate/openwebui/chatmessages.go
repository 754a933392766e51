package openwebui

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Revision 49 copies every message of every chat to chat_message.

// messageChats are the chats whose messages are copied: not the copies made for
// sharing. LIKE has its own idea of case on either engine, and so does the
// application there.
const messageChats = `SELECT id, user_id, chat FROM chat
	WHERE user_id NOT LIKE 'shared-%' AND chat IS NOT NULL`

// messageColumns are the columns of chat_message in the order of messageRow.
var messageColumns = []string{
	"id", "chat_id", "user_id", "role", "parent_id", "model_id", "done", "created_at", "updated_at",
	"content", "output", "files", "sources", "embeds", "status_history", "error", "usage",
}

// messageDocuments are the members of a message that are kept as JSON, in the
// order of their columns.
var messageDocuments = []string{
	"content", "output", "files", "sources", "embeds", "statusHistory", "error", "usage",
}

const reasonChatDocument = "chat is a list, a number or true, or is no JSON at all"

// checkChatDocuments counts the chats whose document revision 49 refuses.
// Before revision 23 the document is a text, and one that is no JSON becomes
// null there.
func checkChatDocuments(ctx context.Context, run *step.Run) (int64, error) {
	declared, err := columnType(ctx, run, "chat", "chat")
	if err != nil {
		return 0, err
	}
	var refused int64
	err = run.Read(ctx, messageChats, func(batch []step.Row) error {
		wrong := make([]bool, len(batch))
		inParallel(len(batch), func(i int) {
			source, _ := batch[i].Text(2)
			if _, ok := decodeChat(source); ok {
				return
			}
			_, err := pyjson.Decode(source)
			wrong[i] = err == nil || declared == "json"
		})
		for _, is := range wrong {
			if is {
				refused++
			}
		}
		return nil
	})
	return refused, err
}

// copyMessages fills chat_message. What cannot be stored as the application
// stores it is left out, as there; the documents keep it.
func copyMessages(ctx context.Context, run *step.Run) error {
	m := messageCopier{dialect: run.Dialect}
	if err := m.prepare(ctx, run); err != nil {
		return err
	}
	total, err := count(ctx, run, "("+messageChats+") AS chats")
	if err != nil {
		return err
	}
	var done, refused int64
	err = run.Stream(ctx, messageChats, func(batch []step.Row) error {
		var rows [][]any
		for _, of := range m.rowsOf(batch) {
			if !of.ok {
				refused++
			}
			rows = append(rows, of.rows...)
		}
		done += int64(len(batch))
		run.Progress(done, total)
		if refused > 0 {
			return nil // everything will be rolled back
		}
		return run.Insert(ctx, "chat_message", messageColumns, rows)
	})
	if err == nil && refused > 0 {
		err = &step.DataError{Table: "chat", Rows: refused, Reason: reasonChatDocument}
	}
	return err
}

// decodeChat returns the document of a chat, nil if there is none, and false
// if it is none that the application can work with. It may be in a text once
// more; if it is none there, there is none.
func decodeChat(source string) (document *pyjson.Object, ok bool) {
	v, err := pyjson.Decode(source)
	if err != nil {
		return nil, false
	}
	if text, isText := v.(string); isText {
		if v, err = pyjson.Decode(text); err != nil {
			return nil, true
		}
	}
	if !isTrue(v) {
		return nil, true
	}
	document, ok = v.(*pyjson.Object)
	return document, ok
}

// messageCopier makes rows of chat_message.
type messageCopier struct {
	dialect step.Dialect
	now     int64
	// alike are the chats that may have a message whose id is that of a message
	// of another one, taken the ids of messages that they have so far.
	alike map[string]bool
	taken map[string]bool
}

// An id of a message is the id of its chat, a hyphen, and a name. Two can be the
// same only if the id of one chat begins with that of the other and a hyphen,
// which no two UUIDs do. So the ids of few chats, if any, have to be remembered.
var alikeChats = map[step.Dialect]string{
	step.Postgres: `SELECT DISTINCT unnest(ARRAY[longer.id, shorter.id])
		FROM chat AS longer, generate_series(1, length(longer.id)) AS place
			JOIN LATERAL (SELECT id FROM chat WHERE id = substr(longer.id, 1, place - 1)) AS shorter ON true
		WHERE substr(longer.id, place, 1) = '-'`,
	step.SQLite: `WITH RECURSIVE head (id, size) AS (
			SELECT id, instr(id, '-') - 1 FROM chat WHERE instr(id, '-') > 0
			UNION ALL
			SELECT id, size + instr(substr(id, size + 2), '-') FROM head WHERE instr(substr(id, size + 2), '-') > 0
		), pair AS (
			SELECT head.id AS longer, chat.id AS shorter FROM head JOIN chat ON chat.id = substr(head.id, 1, head.size)
		)
		SELECT longer FROM pair UNION SELECT shorter FROM pair`,
}

func (m *messageCopier) prepare(ctx context.Context, run *step.Run) (err error) {
	if m.now, err = now(ctx, run); err != nil {
		return err
	}
	m.alike, m.taken = map[string]bool{}, map[string]bool{}
	err = run.Read(ctx, alikeChats[m.dialect], func(batch []step.Row) error {
		for _, row := range batch {
			id, _ := row.Text(0)
			m.alike[id] = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("comparing the ids of chats: %w", err)
	}
	return nil
}

// chatRows are the rows of one chat, and whether its document can be read.
type chatRows struct {
	rows [][]any
	ok   bool
}

// rowsOf returns the rows of chats. Those of chats whose ids are alike depend on
// each other and are made in order.
func (m *messageCopier) rowsOf(batch []step.Row) []chatRows {
	out := make([]chatRows, len(batch))
	documents := make([]*pyjson.Object, len(batch))
	inParallel(len(batch), func(i int) {
		source, _ := batch[i].Text(2)
		documents[i], out[i].ok = decodeChat(source)
		if id, _ := batch[i].Text(0); out[i].ok && !m.alike[id] {
			out[i].rows = m.appendRows(nil, batch[i], documents[i])
			documents[i] = nil
		}
	})
	for i, row := range batch {
		if id, _ := row.Text(0); out[i].ok && m.alike[id] {
			out[i].rows = m.appendRows(nil, row, documents[i])
		}
	}
	return out
}

// appendRows appends the rows of the messages of a chat.
func (m *messageCopier) appendRows(rows [][]any, chat step.Row, document *pyjson.Object) [][]any {
	chatID, _ := chat.Text(0)
	messages := chatMessages(document)
	for _, name := range messages.Names() {
		message, ok := member(messages, name).(*pyjson.Object)
		if !ok || !isTrue(member(message, "role")) {
			continue
		}
		id := chatID + "-" + name
		if !storable(id, m.dialect) || m.taken[id] {
			continue
		}
		row, ok := m.messageRow(message)
		if !ok {
			continue
		}
		if m.alike[chatID] {
			m.taken[id] = true
		}
		row[0], row[1], row[2] = id, chatID, text(chat, 1)
		rows = append(rows, row)
	}
	return rows
}

// chatMessages returns the messages in a document, none if they are not where
// they should be.
func chatMessages(document *pyjson.Object) *pyjson.Object {
	if document != nil {
		if history, ok := member(document, "history").(*pyjson.Object); ok {
			if messages, ok := member(history, "messages").(*pyjson.Object); ok {
				return messages
			}
		}
	}
	return &pyjson.Object{}
}

// messageRow returns a row without its ids, and false if it cannot be stored.
func (m *messageCopier) messageRow(message *pyjson.Object) (row []any, ok bool) {
	row = make([]any, 3, len(messageColumns))
	for _, name := range []string{"role", "parentId", "model"} {
		column, ok := textColumn(member(message, name), m.dialect)
		if !ok {
			return nil, false
		}
		row = append(row, column)
	}
	if role, isFloat := row[3].(float64); isFloat && math.IsNaN(role) {
		return nil, false // it would be NULL
	}
	done, ok := messageDone(message)
	if !ok {
		return nil, false
	}
	at := m.messageTime(message)
	row = append(row, done, at, at)
	for _, name := range messageDocuments {
		v := member(message, name)
		if m.dialect == step.Postgres && !pyjson.IsFinite(v) {
			return nil, false
		}
		row = append(row, pyjson.Encode(v))
	}
	return row, true
}

// messageDone returns whether a message is complete: true if it does not say,
// nil for null, and false as the second result if it is neither a boolean nor a
// number that equals one.
func messageDone(message *pyjson.Object) (done any, ok bool) {
	v, found := message.Get("done")
	if !found {
		return true, true
	}
	switch v := v.(type) {
	case nil:
		return nil, true
	case bool:
		return v, true
	case pyjson.Int:
		return v == "1", v == "0" || v == "1"
	case float64:
		return v == 1, v == 0 || v == 1
	}
	return nil, false
}

const (
	// millisecondsFrom is the number above which a time is in milliseconds.
	millisecondsFrom = 10_000_000_000
	// earliestMessage is the beginning of 2020. An earlier time is wrong.
	earliestMessage = 1_577_836_800
	// day is how many seconds a time may be in the future.
	day = 24 * 60 * 60
)

// messageTime returns the time of a message in seconds, or the time of the
// migration if the message has none that can be right.
func (m *messageCopier) messageTime(message *pyjson.Object) int64 {
	f := math.Trunc(number(member(message, "timestamp")))
	if f > millisecondsFrom {
		f = math.Floor(f / 1000)
	}
	if f >= earliestMessage && f <= float64(m.now+day) {
		return int64(f)
	}
	return m.now
}

// number converts a value as Python's float does, to NaN if it cannot.
func number(v pyjson.Value) float64 {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case pyjson.Int:
		if f, err := strconv.ParseFloat(string(v), 64); err == nil {
			return f
		}
	case float64:
		return v
	case string:
		if f, ok := parseFloat(v); ok {
			return number(f)
		}
	}
	return math.NaN()
}
