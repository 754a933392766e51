// Package migrations holds the SQL files and manifests of the bundles.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed all:open-webui
var bundles embed.FS

// OpenWebUI returns the files of the bundle open-webui: its manifest, and the
// revisions of each engine in a directory of its own.
func OpenWebUI() fs.FS {
	sub, err := fs.Sub(bundles, "open-webui")
	if err != nil {
		panic(err) // The only error is that of a malformed path, and it is written above.
	}
	return sub
}
