package migrate

import (
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/result"
)

// Owner is who migrates a database: one DatabaseSchema of one cluster.
type Owner struct {
	// Cluster identifies the cluster, by the UID of its kube-system namespace.
	Cluster string
	// Namespace, Name and UID are those of the DatabaseSchema.
	Namespace string
	Name      string
	UID       string
}

// validate refuses owners that could not be told apart once they are stored.
func (o *Owner) validate() error {
	if o == nil {
		return nil
	}
	for _, s := range []string{o.Cluster, o.Namespace, o.Name, o.UID} {
		if s == "" || strings.ContainsAny(s, "\n\x00") {
			return usage(result.ReasonInvalidOption, "an owner needs a cluster, a namespace, a name and a UID, without line breaks")
		}
	}
	return nil
}

// key is the owner as the fingerprint shows it.
func (o *Owner) key() string {
	if o == nil {
		return ""
	}
	return strings.Join([]string{o.Cluster, o.Namespace, o.Name, o.UID}, "\n")
}

// same reports whether both are the same resource. The UID may differ: whoever
// deletes a resource and creates it again, or restores it from a backup, means
// the same one.
func (o *Owner) same(other *Owner) bool {
	return o.Cluster == other.Cluster && o.Namespace == other.Namespace && o.Name == other.Name
}

// String names the owner for people.
func (o *Owner) String() string {
	return "DatabaseSchema " + o.Namespace + "/" + o.Name + " in cluster " + o.Cluster
}

func parseOwner(key string) *Owner {
	parts := strings.Split(key, "\n")
	if len(parts) != 4 {
		return nil
	}
	return &Owner{Cluster: parts[0], Namespace: parts[1], Name: parts[2], UID: parts[3]}
}

// decideOwner compares the owner in the database with the one that runs. It
// returns whether the row has to be written. Whoever runs the command line
// without naming an owner is nobody, and a database that has an owner is not
// theirs either: a migration by hand under a running operator is what the row
// is there to prevent.
func decideOwner(have, want *Owner, take bool) (write bool, err error) {
	switch {
	case have == nil:
		return want != nil, nil
	case want != nil && have.same(want):
		return have.UID != want.UID, nil
	case take:
		return true, nil
	}
	e := refused(result.ReasonDatabaseOwned,
		"the database belongs to %s; take it over with --take-ownership once nothing else migrates it", have)
	e.Failure.Found = []string{"cluster " + have.Cluster, "namespace " + have.Namespace, "name " + have.Name}
	return false, e
}
