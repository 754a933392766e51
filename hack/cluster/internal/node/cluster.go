package node

import (
	"context"
	"fmt"

	"github.com/schemagate/schemagate/hack/cluster/internal/api"
	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/components"
	"github.com/schemagate/schemagate/hack/cluster/internal/image"
	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/pki"
	"github.com/schemagate/schemagate/hack/cluster/internal/progress"
	"github.com/schemagate/schemagate/hack/cluster/internal/supervisor"
)

// Cluster is one instance together with what is needed to work on it.
type Cluster struct {
	Instance instance.Instance
	Report   *progress.Report
	// NodeVerb is the verb of this program that becomes a node's first
	// process.
	NodeVerb string
}

// attach fills in the slot of an instance that was started before.
func (c *Cluster) attach() (instance.Record, error) {
	record, err := c.Instance.Load()
	if err == nil {
		c.Instance.Slot = record.Slot
	}
	return record, err
}

// supervisor is the client of the node's first process.
func (c *Cluster) supervisor() *supervisor.Client {
	return supervisor.NewClient(c.Instance.SupervisorSocket())
}

// admin talks to the components as the cluster's administrator.
func (c *Cluster) admin() (*api.Client, error) {
	store := pki.NewStore(c.Instance)
	return api.New(store.Cert(pki.ClusterCA), store.Cert(pki.AdminClient), store.Key(pki.AdminClient))
}

// etcd talks to etcd, which trusts another authority.
func (c *Cluster) etcd() (*api.Client, error) {
	store := pki.NewStore(c.Instance)
	return api.New(store.Cert(pki.EtcdCA), store.Cert(pki.APIServerEtcdClient), store.Key(pki.APIServerEtcdClient))
}

func (c *Cluster) images(binaries build.Binaries) (image.Store, error) {
	snapshotter, err := components.Snapshotter(c.Instance.StateDir)
	return image.Store{
		Ctr:         binaries.Path(build.Ctr),
		Socket:      c.Instance.ContainerdSocket(),
		Snapshotter: snapshotter,
	}, err
}

// Load loads image archives into the running node and returns the
// images' names.
func (c *Cluster) Load(ctx context.Context, archives ...string) ([]string, error) {
	record, err := c.attach()
	if err != nil {
		return nil, err
	}
	if !record.Supervisor.Alive() {
		return nil, fmt.Errorf("%w: %s", instance.ErrNotStarted, c.Instance.Name)
	}
	store, err := c.images(build.Binaries{Dir: record.Binaries})
	if err != nil {
		return nil, err
	}
	var loaded []string
	for _, archive := range archives {
		names, err := store.Load(ctx, archive)
		if err != nil {
			return loaded, err
		}
		loaded = append(loaded, names...)
	}
	return loaded, nil
}
