package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNameTaken is returned when an instance of the same name runs from another
// state directory, for example that of another user.
var ErrNameTaken = errors.New("instance name is taken")

func (i Instance) ownerPath() string { return filepath.Join(i.RunDir(), "owner") }

// CheckOwner returns ErrNameTaken unless the sockets, the control groups and
// the node's name are free or belong to this very instance.
func (i Instance) CheckOwner() error {
	content, err := os.ReadFile(i.ownerPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for the owner of instance name %s: %w", i.Name, err)
	}
	other := Instance{Name: i.Name, StateDir: strings.TrimSpace(string(content))}
	if other.StateDir == i.StateDir {
		return nil
	}
	// What a killed or deleted instance left behind holds no name.
	if record, err := other.Load(); err == nil && record.Supervisor.Alive() {
		return fmt.Errorf("%w: %s runs from %s; stop that one or use another name", ErrNameTaken, i.Name, other.StateDir)
	}
	return nil
}

// Claim records that the name belongs to this instance.
func (i Instance) Claim() error {
	if err := os.WriteFile(i.ownerPath(), []byte(i.StateDir+"\n"), 0o600); err != nil {
		return fmt.Errorf("claiming instance name %s: %w", i.Name, err)
	}
	return nil
}
