package manager

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/schemagate/schemagate/internal/naming"
)

// libraryLeaseDuration is controller-runtime's, where nothing else is said.
const libraryLeaseDuration = 15 * time.Second

// leaderLock is the Lease of the leader, with a memory of when it was renewed. A
// process that was frozen goes on where it was before it hears that another one
// leads by now; by the clock it knows at once.
type leaderLock struct {
	resourcelock.Interface
	duration time.Duration

	mu      sync.Mutex
	renewed time.Time // when the last renewal that succeeded began
}

func newLeaderLock(config *rest.Config, options Options) (*leaderLock, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming the candidate for the lead: %w", err)
	}
	core, err := corev1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	coordination, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, options.LeaderElectionNamespace, naming.LeaderElectionID,
		core, coordination, resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())})
	if err != nil {
		return nil, err
	}
	return &leaderLock{Interface: lock, duration: cmp.Or(options.LeaseDuration, libraryLeaseDuration)}, nil
}

// election returns the lock, twice because a nil one must not become an
// interface; nothing without an election.
func (o *Options) election(config *rest.Config) (*leaderLock, resourcelock.Interface, error) {
	if !o.LeaderElect {
		return nil, nil, nil
	}
	lock, err := newLeaderLock(config, *o)
	return lock, lock, err
}

// Create implements resourcelock.Interface.
func (l *leaderLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Create(ctx, record) })
}

// Update implements resourcelock.Interface.
func (l *leaderLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Update(ctx, record) })
}

func (l *leaderLock) renew(record resourcelock.LeaderElectionRecord, write func() error) error {
	began := time.Now()
	err := write()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
	case record.HolderIdentity != l.Identity():
		l.renewed = time.Time{} // given back
	default:
		l.renewed = began
	}
	return err
}

// Leads reports whether nobody else can lead yet: others wait for the lease's
// duration from when they have heard of its last renewal.
func (l *leaderLock) Leads() bool {
	if l == nil {
		return true // there is no election
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.renewed.IsZero() && time.Since(l.renewed) < l.duration
}
