package openwebui

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// currentMessages is revision 68: a chat gets the id of the message that it
// shows, and with it the branch. Messages are rows of chat_message, members of
// the document, or both; the rows of a chat are read as one JSON list, in their
// physical order, so that every document is sent once.
var currentMessages = fill{
	table: "chat", column: "current_message_id",
	query: chatQueries(""),
	// The copies that chats were shared as leave this table with revision 57.
	checked: chatQueries(` WHERE coalesce(c.user_id, '') NOT LIKE 'shared-%'`),
	value:   currentMessage,
	reason:  "messages that cannot be put in order, or an id that is no text the database accepts",
	all:     true,
}

func chatQueries(where string) map[step.Dialect]string {
	return map[step.Dialect]string{
		step.Postgres: `SELECT c.id, c.chat, m.list
			FROM chat AS c
			LEFT JOIN (
				SELECT chat_id, json_agg(json_build_array(id, parent_id, created_at) ORDER BY ctid) AS list
				FROM chat_message
				GROUP BY chat_id
			) AS m ON m.chat_id = c.id` + where,
		step.SQLite: `SELECT c.id, c.chat, (
				SELECT json_group_array(json_array(m.id, m.parent_id, m.created_at) ORDER BY m.rowid)
				FROM chat_message AS m
				WHERE m.chat_id = c.id
			)
			FROM chat AS c` + where,
	}
}

// message is a message as far as it takes to find the newest branch.
type message struct {
	id           pyjson.Value // a text or an integer
	parent, time pyjson.Value
}

func currentMessage(row step.Row, dialect step.Dialect) (any, bool) {
	id, _ := row.Text(0)
	prefix := id + "-"
	document, ok := readDocument(row, dialect)
	if !ok {
		return nil, false
	}
	candidates := messageCandidates(document, prefix)
	ids, messages, ok := messageRows(row, prefix)
	if !ok {
		return nil, false
	}
	for _, c := range candidates {
		if _, ok := ids[prefix+c]; ok {
			return storableID(c, dialect)
		}
	}
	if len(messages) == 0 {
		if messages, ok = documentMessages(document); !ok {
			return nil, false
		}
		for _, c := range candidates {
			if hasMessage(messages, c) {
				return storableID(c, dialect)
			}
		}
	}
	newest, ok := newestLeaf(messages)
	if !ok {
		return nil, false
	}
	return storableID(newest, dialect)
}

// readDocument returns the document of a chat, an empty one for whatever is not
// an object. PostgreSQL's driver has read the JSON once already when the
// application reads what it takes for a text, so there an object in a JSON
// string counts, and what the driver cannot read is refused.
func readDocument(row step.Row, dialect step.Dialect) (*pyjson.Object, bool) {
	none := &pyjson.Object{}
	source, ok := row.Text(1)
	if !ok {
		return none, true
	}
	v, err := pyjson.Decode(source)
	if err != nil {
		return none, dialect == step.SQLite
	}
	if inner, ok := v.(string); ok && dialect == step.Postgres {
		if v, err = pyjson.Decode(inner); err != nil {
			return none, true
		}
	}
	if document, ok := v.(*pyjson.Object); ok {
		return document, true
	}
	return none, true
}

// messageCandidates returns the ids that a document names as its current
// message, best first.
func messageCandidates(document *pyjson.Object, prefix string) []string {
	var candidates []string
	for _, v := range []pyjson.Value{
		member(objectIn(document, "history"), "currentId"),
		member(document, "currentId"),
		member(document, "branchPointMessageId"),
	} {
		id, _ := v.(string)
		if id = strings.TrimPrefix(id, prefix); id != "" {
			candidates = append(candidates, id)
		}
	}
	return candidates
}

// objectIn returns a member that is an object, or an empty one.
func objectIn(o *pyjson.Object, name string) *pyjson.Object {
	if inner, ok := member(o, name).(*pyjson.Object); ok {
		return inner
	}
	return &pyjson.Object{}
}

// messageRows returns the messages of a chat in chat_message, without the prefix
// of their ids, and the set of their ids as they are.
func messageRows(row step.Row, prefix string) (ids map[string]struct{}, messages []message, ok bool) {
	source, ok := row.Text(2)
	if !ok {
		return nil, nil, true
	}
	v, err := pyjson.Decode(source)
	list, ok := v.([]pyjson.Value)
	if err != nil || !ok {
		return nil, nil, false
	}
	ids = make(map[string]struct{}, len(list))
	for _, entry := range list {
		fields, ok := entry.([]pyjson.Value)
		if !ok || len(fields) != 3 {
			return nil, nil, false
		}
		id, _ := fields[0].(string)
		ids[id] = struct{}{}
		m := message{id: strings.TrimPrefix(id, prefix), parent: fields[1], time: fields[2]}
		if parent, ok := m.parent.(string); ok {
			m.parent = strings.TrimPrefix(parent, prefix)
		}
		if m.id != "" {
			messages = append(messages, m)
		}
	}
	return ids, messages, true
}

// documentMessages returns the messages in a document: those of its history, or
// of its list where it has no history.
func documentMessages(document *pyjson.Object) ([]message, bool) {
	history := objectIn(objectIn(document, "history"), "messages")
	if history.Len() == 0 {
		return listedMessages(document)
	}
	messages := make([]message, 0, history.Len())
	for _, id := range history.Names() {
		messages = append(messages, messageOf(id, objectIn(history, id)))
	}
	return messages, true
}

// listedMessages returns the messages in a document's list. Of several with the
// same id the last counts, in the place of the first.
func listedMessages(document *pyjson.Object) ([]message, bool) {
	list, _ := member(document, "messages").([]pyjson.Value)
	var messages []message
	places := map[pyjson.Value]int{}
	for _, entry := range list {
		o, ok := entry.(*pyjson.Object)
		if !ok || !isTrue(member(o, "id")) {
			continue
		}
		id := member(o, "id")
		switch id.(type) {
		case string, pyjson.Int:
		default:
			return nil, false
		}
		if place, ok := places[id]; ok {
			messages[place] = messageOf(id, o)
			continue
		}
		places[id] = len(messages)
		messages = append(messages, messageOf(id, o))
	}
	return messages, true
}

func messageOf(id pyjson.Value, o *pyjson.Object) message {
	return message{id: id, parent: member(o, "parentId"), time: member(o, "timestamp")}
}

func hasMessage(messages []message, id string) bool {
	for _, m := range messages {
		if m.id == id {
			return true
		}
	}
	return false
}

// newestLeaf returns the id of the newest message that is nobody's parent, the
// first of equally new ones, or of all if they are each other's parents. It
// returns nil if there are no messages, and false if they have no order.
func newestLeaf(messages []message) (id pyjson.Value, ok bool) {
	parents := make(map[pyjson.Value]struct{}, len(messages))
	for _, m := range messages {
		parent, ok := hashable(m.parent)
		if !ok {
			return nil, false
		}
		parents[parent] = struct{}{}
	}
	var leaves []message
	for _, m := range messages {
		if _, ok := parents[m.id]; !ok {
			leaves = append(leaves, m)
		}
	}
	if leaves == nil {
		leaves = messages
	}
	for i, m := range leaves {
		if i == 0 {
			id = m.id
			continue
		}
		later, ok := isLater(m.time, leaves[0].time)
		if !ok {
			return nil, false
		}
		if later {
			id, leaves[0] = m.id, m
		}
	}
	return id, true
}

// hashable returns what stands for a value among the keys of a Python
// dictionary, where equal numbers are one key. A list or an object cannot be
// one.
func hashable(v pyjson.Value) (pyjson.Value, bool) {
	switch v := v.(type) {
	case []pyjson.Value, *pyjson.Object:
		return nil, false
	case bool:
		if v {
			return pyjson.Int("1"), true
		}
		return pyjson.Int("0"), true
	case float64:
		if v == math.Trunc(v) && !math.IsInf(v, 0) {
			return pyjson.Int(strconv.FormatFloat(v, 'f', 0, 64)), true
		}
	}
	return v, true
}

// isLater compares two times, where nothing is zero: numbers with numbers and
// texts with texts.
func isLater(a, b pyjson.Value) (later, ok bool) {
	if !isTrue(a) {
		a = pyjson.Int("0")
	}
	if !isTrue(b) {
		b = pyjson.Int("0")
	}
	s, isText := a.(string)
	t, areTexts := b.(string)
	if isText && areTexts {
		return s > t, true
	}
	x, ok := numberOf(a)
	if !ok {
		return false, false
	}
	y, ok := numberOf(b)
	return ok && x != nil && y != nil && x.Cmp(y) > 0, ok
}

// numberOf returns a number exactly. It returns nil for NaN, to which nothing
// compares.
func numberOf(v pyjson.Value) (*big.Float, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewFloat(1), true
		}
		return new(big.Float), true
	case float64:
		if math.IsNaN(v) {
			return nil, true
		}
		return big.NewFloat(v), true
	case pyjson.Int:
		i, ok := new(big.Int).SetString(string(v), 10)
		if !ok {
			return nil, false
		}
		return new(big.Float).SetInt(i), true
	}
	return nil, false
}

// storableID returns an id as the column can hold it, nil for none.
func storableID(id pyjson.Value, dialect step.Dialect) (any, bool) {
	switch id := id.(type) {
	case pyjson.Int:
		return string(id), true
	case string:
		if id == "" {
			return nil, true
		}
		return id, storable(id, dialect)
	}
	return nil, true
}
