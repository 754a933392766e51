package instance

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/hack/cluster/internal/process"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		instance, root string
		valid          bool
	}{
		"plain":              {instance: "default", root: "/var/state", valid: true},
		"one letter":         {instance: "a", root: "/var/state", valid: true},
		"32 letters":         {instance: "a1234567890123456789012345678901", root: "/var/state", valid: true},
		"33 letters":         {instance: "a12345678901234567890123456789012", root: "/var/state"},
		"empty":              {root: "/var/state"},
		"hidden":             {instance: ".locks", root: "/var/state"},
		"leaves the root":    {instance: "../x", root: "/var/state"},
		"dash at the end":    {instance: "a-", root: "/var/state"},
		"upper case":         {instance: "A", root: "/var/state"},
		"state below run":    {instance: "a", root: "/run/user/0"},
		"state that has run": {instance: "a", root: "/srv/run", valid: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := New(test.instance, test.root)
			if (err == nil) != test.valid {
				t.Fatalf("New(%q, %q) returned %v, want valid %t", test.instance, test.root, err, test.valid)
			}
			if test.valid && got.StateDir != filepath.Join(test.root, test.instance) {
				t.Errorf("state is in %s", got.StateDir)
			}
		})
	}
}

func TestSocketsFitTheirLimit(t *testing.T) {
	t.Parallel()
	longest := Instance{Name: "a1234567890123456789012345678901"}
	for _, socket := range []string{longest.ContainerdSocket() + ".ttrpc", longest.SupervisorSocket()} {
		if len(socket) >= 108 {
			t.Errorf("%s has %d bytes, the limit is 107", socket, len(socket))
		}
	}
	if last := (Instance{Slot: Slots - 1}); len(last.LinkName()) > 15 {
		t.Errorf("interface name %s is too long", last.LinkName())
	}
}

func TestAddressesLieApart(t *testing.T) {
	t.Parallel()
	for slot := range Slots {
		a := addressesOf(slot)
		for name, inside := range map[string]struct {
			network netip.Prefix
			address netip.Addr
		}{
			"gateway":    {a.Pods, a.PodGateway},
			"kubernetes": {a.Services, a.KubernetesService},
			"dns":        {a.Services, a.DNSService},
			"host":       {a.Link, a.Host},
			"node":       {a.Link, a.Node},
		} {
			if !inside.network.Contains(inside.address) || !a.Block.Contains(inside.address) {
				t.Errorf("slot %d: %s %s is not in %s", slot, name, inside.address, inside.network)
			}
		}
		if a.Pods.Overlaps(a.Services) || a.Pods.Overlaps(a.Link) || a.Services.Overlaps(a.Link) {
			t.Errorf("slot %d: networks overlap: %+v", slot, a)
		}
		if slot > 0 && a.Block.Overlaps(addressesOf(slot-1).Block) {
			t.Errorf("slots %d and %d overlap", slot-1, slot)
		}
	}
}

// testInstance is an instance whose state directory exists.
func testInstance(t *testing.T, name string) Instance {
	t.Helper()
	inst := Instance{Name: name, StateDir: t.TempDir()}
	return inst
}

func TestSlots(t *testing.T) {
	t.Parallel()
	free := func(netip.Prefix) (bool, error) { return false, nil }
	s := slots{dir: filepath.Join(t.TempDir(), "slots"), taken: free}
	standard, first, second := testInstance(t, DefaultName), testInstance(t, "first"), testInstance(t, "second")
	deleted := Instance{Name: "deleted", StateDir: filepath.Join(t.TempDir(), "gone")}

	reserve := func(inst Instance, want int) {
		t.Helper()
		got, err := s.reserve(inst)
		if err != nil || got != want {
			t.Fatalf("reserve(%s) = %d, %v, want %d", inst.Name, got, err, want)
		}
	}
	release := func(inst Instance, want bool) {
		t.Helper()
		got, err := s.release(inst)
		if err != nil || got != want {
			t.Fatalf("release(%s) = %t, %v, want last %t", inst.Name, got, err, want)
		}
	}
	reserve(first, 1) // slot 0 is kept for the default instance
	reserve(second, 2)
	reserve(first, 1) // its own again
	reserve(standard, 0)
	release(first, false)
	reserve(deleted, 1)
	reserve(first, 1) // the state of its holder is gone
	release(second, false)
	release(standard, false)
	release(first, true)
}

func TestSlotsAvoidOtherNetworks(t *testing.T) {
	t.Parallel()
	foreign := netip.MustParsePrefix("10.88.0.0/15")
	s := slots{dir: t.TempDir(), taken: func(block netip.Prefix) (bool, error) { return foreign.Overlaps(block), nil }}
	if got, err := s.reserve(testInstance(t, DefaultName)); err != nil || got != 2 {
		t.Errorf("reserve = %d, %v, want 2", got, err)
	}
	s.taken = func(netip.Prefix) (bool, error) { return true, nil }
	if _, err := s.reserve(testInstance(t, "other")); !errors.Is(err, ErrNoSlot) {
		t.Errorf("reserve on a full machine returned %v, want ErrNoSlot", err)
	}
}

func TestSlotIsKeptAcrossReboot(t *testing.T) {
	t.Parallel()
	inst := testInstance(t, "kept")
	if err := inst.Save(Record{Name: inst.Name, Slot: 7}); err != nil {
		t.Fatal(err)
	}
	s := slots{dir: t.TempDir(), taken: func(netip.Prefix) (bool, error) { return false, nil }}
	if got, err := s.reserve(inst); err != nil || got != 7 {
		t.Errorf("reserve = %d, %v, want 7", got, err)
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	inst := testInstance(t, "recorded")
	if _, err := inst.Load(); !errors.Is(err, ErrNotStarted) {
		t.Errorf("Load without a record returned %v, want ErrNotStarted", err)
	}
	want := Record{
		Name: "recorded", Slot: 3, Binaries: "/bin",
		Supervisor: process.Identity{PID: 1, Start: 2, Boot: "b"},
		Components: map[string]process.Identity{"etcd": {PID: 4, Start: 5, Boot: "b"}},
	}
	if err := inst.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := inst.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record changed (-want +got):\n%s", diff)
	}
}

func TestLockFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locks", "one")
	unlock, err := LockFile(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := LockFile(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("locking twice returned %v, want to wait until canceled", err)
	}
	unlock()
	again, err := LockFile(t.Context(), path, func() { t.Error("waits for a lock that was given back") })
	if err != nil {
		t.Fatal(err)
	}
	again()
}
