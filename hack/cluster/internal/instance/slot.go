package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoSlot is returned when every address block is taken, by an instance or
// by a network of the machine.
var ErrNoSlot = errors.New("no free address block")

// Where slots are reserved; a reboot clears it like the networks it is about.
const (
	slotDir  = RunRoot + "/.slots"
	slotLock = RunRoot + "/.locks/.slots"
)

// slots reserves address blocks for instances of the whole machine.
type slots struct {
	dir string
	// taken reports that the machine already has a route into the block.
	taken func(netip.Prefix) (bool, error)
}

// Reserve gives the instance a slot, the one it has had if it is still its
// own. taken reports that the machine already has a route into a block, which
// the new node would cut off.
func Reserve(ctx context.Context, inst Instance, taken func(netip.Prefix) (bool, error)) (Instance, error) {
	unlock, err := LockFile(ctx, slotLock, nil)
	if err != nil {
		return Instance{}, err
	}
	defer unlock()
	s := slots{dir: slotDir, taken: taken}
	inst.Slot, err = s.reserve(inst)
	return inst, err
}

// Release gives the slot back and reports whether no instance has one any more.
func Release(ctx context.Context, inst Instance) (last bool, err error) {
	unlock, err := LockFile(ctx, slotLock, nil)
	if err != nil {
		return false, err
	}
	defer unlock()
	s := slots{dir: slotDir}
	return s.release(inst)
}

// HeldByOther reports whether the slot of the instance now belongs to another
// one, as after a reboot. Nothing that carries the slot's number may then be
// touched.
func (i Instance) HeldByOther() (bool, error) {
	owner, err := slots{dir: slotDir}.owner(i.Slot)
	return owner != "" && owner != i.StateDir, err
}

func (s slots) reserve(inst Instance) (int, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return 0, fmt.Errorf("creating the directory of slots: %w", err)
	}
	free := make([]int, 0, Slots)
	for slot := range Slots {
		owner, err := s.owner(slot)
		switch {
		case err != nil:
			return 0, err
		case owner == inst.StateDir:
			return slot, nil
		case owner == "":
			free = append(free, slot)
		}
	}
	for _, slot := range preferred(inst, free) {
		taken, err := s.taken(addressesOf(slot).Block)
		if err != nil {
			return 0, err
		}
		if taken {
			continue
		}
		if err := os.WriteFile(s.path(slot), []byte(inst.StateDir+"\n"), 0o600); err != nil {
			return 0, fmt.Errorf("reserving slot %d: %w", slot, err)
		}
		return slot, nil
	}
	return 0, fmt.Errorf("%w: %d blocks from %s on are in use by instances or by networks of this machine",
		ErrNoSlot, Slots, addressesOf(0).Block)
}

// preferred puts the slot the instance had before a reboot first, and keeps
// slot 0 for the default instance as long as there is another.
func preferred(inst Instance, free []int) []int {
	wanted := 0
	if inst.Name != DefaultName {
		wanted = -1
		if len(free) > 0 && free[0] == 0 {
			free = append(free[1:], 0)
		}
	}
	if record, err := inst.Load(); err == nil {
		wanted = record.Slot
	}
	for n, slot := range free {
		if slot == wanted {
			return append([]int{slot}, append(free[:n:n], free[n+1:]...)...)
		}
	}
	return free
}

// owner is the state directory of the instance that holds the slot, or empty.
// A reservation whose state directory was deleted by hand counts as free.
func (s slots) owner(slot int) (string, error) {
	content, err := os.ReadFile(s.path(slot))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading slot %d: %w", slot, err)
	}
	dir := strings.TrimSpace(string(content))
	if err := unix.Access(dir, unix.F_OK); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return dir, nil
}

func (s slots) release(inst Instance) (last bool, err error) {
	last = true
	for slot := range Slots {
		owner, err := s.owner(slot)
		if err != nil {
			return false, err
		}
		if owner != "" && owner != inst.StateDir {
			last = false
			continue
		}
		if err := os.Remove(s.path(slot)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("releasing slot %d: %w", slot, err)
		}
	}
	return last, nil
}

func (s slots) path(slot int) string { return filepath.Join(s.dir, strconv.Itoa(slot)) }
