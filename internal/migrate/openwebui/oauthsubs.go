package openwebui

import (
	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// oauthSubs is revision 42 on the way down: the identity of a user gets from
// oauth back into a column.
var oauthSubs = fill{
	table: "user", column: "oauth_sub",
	query: onBoth(`SELECT id, oauth FROM "user" WHERE oauth IS NOT NULL`),
	value: oauthSub,
}

// oauthSub returns the first identity as older releases look for it. Before
// revision 75 the object may be in a JSON string.
func oauthSub(row step.Row, dialect step.Dialect) (any, bool) {
	source, _ := row.Text(1)
	v, err := pyjson.Decode(source)
	if err != nil {
		return nil, true
	}
	if inner, ok := v.(string); ok {
		if v, err = pyjson.Decode(inner); err != nil {
			return nil, true
		}
	}
	identities, ok := v.(*pyjson.Object)
	if !ok {
		return nil, true
	}
	for _, provider := range identities.Names() {
		identity, ok := member(identities, provider).(*pyjson.Object)
		if !ok {
			continue
		}
		if sub, ok := member(identity, "sub").(string); ok && sub != "" && storable(provider+sub, dialect) {
			return provider + "@" + sub, true
		}
	}
	return nil, true
}
