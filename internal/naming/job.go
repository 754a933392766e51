package naming

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

const (
	// maxLabel is the longest value of a label. The name of a Job becomes one
	// on its pods.
	maxLabel = 63

	// hashLength is how many hexadecimal digits tell the Jobs of one schema
	// apart: 48 bits, far more than the Jobs that a schema ever has.
	hashLength = 12
)

// Job returns the name of a Job of a DatabaseSchema. It follows from the parts
// alone, so that whoever decides the same thing twice, on a stale cache or after
// a crash, finds that the Job exists. It is at most 63 characters long and a
// valid name wherever the schema's is.
func Job(schema string, parts ...string) string {
	hash := sha256.New()
	for _, part := range append([]string{schema}, parts...) {
		// With its length before it, no part runs into the next.
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	prefix := schema[:min(len(schema), maxLabel-1-hashLength)]
	return strings.TrimRight(prefix, "-.") + "-" + hex.EncodeToString(hash.Sum(nil))[:hashLength]
}
