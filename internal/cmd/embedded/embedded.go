// Package embedded offers the bundles that are compiled into the program, with
// the Go steps and catalogs that belong to them.
package embedded

import (
	"fmt"
	"io/fs"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/openwebui"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/migrations"
)

// Bundle is a bundle with everything needed to run it.
type Bundle struct {
	*bundle.Bundle
	Files    fs.FS
	Steps    step.Set
	Catalogs migrate.Catalogs
}

// OpenWebUI is the name of the only bundle so far.
const OpenWebUI = "open-webui"

// Load returns a bundle by its name.
func Load(name string) (*Bundle, error) {
	if name != OpenWebUI {
		return nil, fmt.Errorf("there is no bundle of that name: the only one is %s", OpenWebUI)
	}
	files := migrations.OpenWebUI()
	b, err := bundle.Load(files)
	if err != nil {
		return nil, fmt.Errorf("loading the bundle %s: %w", name, err)
	}
	catalogs, err := catalog.LoadSet(files)
	if err != nil {
		return nil, fmt.Errorf("loading the catalogs of the bundle %s: %w", name, err)
	}
	return &Bundle{Bundle: b, Files: files, Steps: openwebui.Steps(), Catalogs: catalogs}, nil
}
