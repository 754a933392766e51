package openwebui

import (
	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// oauthRepair is revision 75: the identities of a user that were stored as a
// JSON string become the object that the string holds.
var oauthRepair = fill{
	table: "user", column: "oauth",
	query: onBoth(`SELECT id, oauth FROM "user" WHERE oauth IS NOT NULL`),
	value: repairedOAuth,
}

// repairedOAuth leaves alone whatever is not an object in a string, and what
// PostgreSQL would not accept without it.
func repairedOAuth(row step.Row, dialect step.Dialect) (any, bool) {
	source, _ := row.Text(1)
	v, err := pyjson.Decode(source)
	if err != nil {
		return nil, true
	}
	inner, ok := v.(string)
	if !ok {
		return nil, true
	}
	identities, ok := decodeObject(inner)
	if !ok || !isStorableJSON(identities, dialect) {
		return nil, true
	}
	return pyjson.Encode(identities), true
}
