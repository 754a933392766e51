package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/schemagate/schemagate/hack/cluster/internal/process"
)

// ErrNotStarted is returned when the instance has no record: it was never
// started, or it was stopped and removed.
var ErrNotStarted = errors.New("instance is not started")

// Record is what later runs of the program have to know about an instance.
type Record struct {
	Name string `json:"name"`
	Slot int    `json:"slot"`
	// Binaries is the directory of the components' programs.
	Binaries string `json:"binaries"`
	// Supervisor is the first process of the node; all others die with it.
	Supervisor process.Identity `json:"supervisor"`
	// Components are the processes it started, by name.
	Components map[string]process.Identity `json:"components,omitempty"`
}

func (i Instance) recordPath() string { return filepath.Join(i.StateDir, "state.json") }

// Load reads the record. It returns ErrNotStarted when there is none.
func (i Instance) Load() (Record, error) {
	var record Record
	content, err := os.ReadFile(i.recordPath())
	if errors.Is(err, fs.ErrNotExist) {
		return record, fmt.Errorf("%w: %s", ErrNotStarted, i.Name)
	}
	if err != nil {
		return record, fmt.Errorf("reading the record of instance %s: %w", i.Name, err)
	}
	if err := json.Unmarshal(content, &record); err != nil {
		return record, fmt.Errorf("decoding %s: %w", i.recordPath(), err)
	}
	return record, nil
}

// Save writes the record by renaming, so that a program killed halfway leaves
// the old one.
func (i Instance) Save(record Record) error {
	content, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the record of instance %s: %w", i.Name, err)
	}
	temporary := i.recordPath() + ".new"
	if err := os.WriteFile(temporary, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the record of instance %s: %w", i.Name, err)
	}
	if err := os.Rename(temporary, i.recordPath()); err != nil {
		return fmt.Errorf("writing the record of instance %s: %w", i.Name, err)
	}
	return nil
}
