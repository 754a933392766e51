// Package runbook knows where people find what to do about a reason.
package runbook

import "strings"

// Base is the page of all runbooks. Its anchors are stable.
const Base = "https://github.com/schemagate/schemagate/tree/main/docs/runbooks"

// URL returns the address of the section about a reason.
func URL(reason string) string { return Base + "#" + strings.ToLower(reason) }
