package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/cgroup"
	"github.com/schemagate/schemagate/hack/cluster/internal/components"
	"github.com/schemagate/schemagate/hack/cluster/internal/image"
	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/network"
	"github.com/schemagate/schemagate/hack/cluster/internal/pki"
	"github.com/schemagate/schemagate/hack/cluster/internal/process"
	"github.com/schemagate/schemagate/hack/cluster/internal/supervisor"
)

// Requirements checks what can be checked before anything is compiled, so that
// nobody waits ten minutes to be told.
func Requirements() error {
	if err := RequireRoot(); err != nil {
		return err
	}
	_, err := findPrograms()
	return err
}

// Up starts the node, or what is missing of it, and returns when pods can run.
// On a healthy node it changes nothing.
func (c *Cluster) Up(ctx context.Context, binaries build.Binaries) error {
	plugins, err := findPrograms()
	if err != nil {
		return err
	}
	unlock, err := c.Instance.Lock(ctx, func() { c.Report.Say("waiting for another command on instance %s", c.Instance.Name) })
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.Instance.CheckOwner(); err != nil {
		return err
	}
	record, err := c.ensureNode(ctx, binaries)
	if err != nil {
		return err
	}
	if err := pki.NewStore(c.Instance).Ensure(c.Instance); err != nil {
		return err
	}
	plan, err := c.plan(binaries, plugins)
	if err != nil {
		return err
	}
	started := c.startAll(ctx, plan, binaries)
	// Whatever was started is recorded, also when the start went wrong.
	return errors.Join(started, c.recordComponents(context.WithoutCancel(ctx), record))
}

// plan writes the configuration of the components.
func (c *Cluster) plan(binaries build.Binaries, plugins string) (components.Plan, error) {
	unified, err := cgroup.Unified()
	if err != nil {
		return components.Plan{}, err
	}
	snapshotter, err := components.Snapshotter(c.Instance.StateDir)
	if err != nil {
		return components.Plan{}, err
	}
	return components.Prepare(components.Settings{
		Instance: c.Instance, Binaries: binaries,
		Snapshotter: snapshotter, UnifiedCgroups: unified, PluginDir: plugins,
	})
}

// ensureNode makes sure that the node's first process runs and is connected.
// A node of which only remains are left, after a reboot or a kill, is started
// again on its old data.
func (c *Cluster) ensureNode(ctx context.Context, binaries build.Binaries) (instance.Record, error) {
	record, err := c.attach()
	if err != nil && !errors.Is(err, instance.ErrNotStarted) {
		return record, err
	}
	fresh := err != nil
	if record.Supervisor.Alive() {
		problem := c.nodeProblem(ctx)
		if problem == nil {
			record.Binaries = binaries.Dir
			return record, nil
		}
		c.Report.Say("starting the node again: %s", problem)
		if err := c.end(ctx, record); err != nil {
			return record, err
		}
	}
	if err := c.clear(ctx); err != nil {
		return record, err
	}
	return c.createNode(ctx, binaries, fresh)
}

// nodeProblem says why a node whose first process runs has to be started
// again, if it has to.
func (c *Cluster) nodeProblem(ctx context.Context) error {
	connected, err := network.Connected(c.Instance)
	if err != nil {
		return err
	}
	if !connected {
		return fmt.Errorf("interface %s is gone", c.Instance.LinkName())
	}
	return attempt(ctx, func(ctx context.Context) error {
		_, err := c.supervisor().Statuses(ctx)
		return err
	})
}

// createNode reserves the addresses and starts the first process.
func (c *Cluster) createNode(ctx context.Context, binaries build.Binaries, fresh bool) (instance.Record, error) {
	step := c.Report.Step("creating node " + c.Instance.NodeName())
	record, err := c.launch(ctx, binaries, fresh)
	if err != nil {
		step.Failed()
		return record, err
	}
	step.Done()
	return record, nil
}

func (c *Cluster) launch(ctx context.Context, binaries build.Binaries, fresh bool) (record instance.Record, err error) {
	if err := c.prepareDirectories(fresh); err != nil {
		return record, err
	}
	if err := cgroup.Prepare(c.Instance.Cgroup()); err != nil {
		return record, err
	}
	if err := c.reserve(ctx, fresh); err != nil {
		return record, err
	}
	config := supervisor.Config{
		HostName:   c.Instance.NodeName(),
		RunDir:     c.Instance.RunDir(),
		Socket:     c.Instance.SupervisorSocket(),
		KubeletDir: c.Instance.DataDir(build.Kubelet),
	}
	record = instance.Record{Name: c.Instance.Name, Slot: c.Instance.Slot, Binaries: binaries.Dir}
	record.Supervisor, err = supervisor.Launch(ctx, c.NodeVerb, c.Instance.Log("node"), config)
	if err != nil {
		return record, err
	}
	// The record comes first: a process nobody knows of could not be stopped.
	if err := c.Instance.Save(record); err != nil {
		return record, err
	}
	if err := supervisor.AwaitReady(ctx, record.Supervisor, config.Socket); err != nil {
		return record, c.explain("node", err)
	}
	return record, network.Connect(c.Instance, record.Supervisor.PID)
}

func (c *Cluster) prepareDirectories(fresh bool) error {
	if fresh {
		// Logs outlive the instance they are about, until its next life.
		if err := os.RemoveAll(c.Instance.LogDir()); err != nil {
			return fmt.Errorf("removing old logs: %w", err)
		}
	}
	for _, dir := range []string{c.Instance.LogDir(), c.Instance.RunDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("creating the directories of instance %s: %w", c.Instance.Name, err)
		}
	}
	return c.Instance.Claim()
}

// ErrAddressesTaken is returned when a cluster cannot continue because another
// instance or network took its addresses while it was not running.
var ErrAddressesTaken = errors.New("the addresses of the cluster are taken")

// reserve gives the instance its addresses. They are part of the cluster's
// data, so a cluster that exists cannot get others.
func (c *Cluster) reserve(ctx context.Context, fresh bool) error {
	reserved, err := instance.Reserve(ctx, c.Instance, network.Taken)
	if err != nil {
		return err
	}
	if !fresh && reserved.Slot != c.Instance.Slot {
		return fmt.Errorf("%w: %s; run down and then up for a new cluster", ErrAddressesTaken, c.Instance.Addresses().Block)
	}
	c.Instance = reserved
	return nil
}

// startAll starts what does not run, in two waves, and waits.
func (c *Cluster) startAll(ctx context.Context, plan components.Plan, binaries build.Binaries) error {
	probes, err := c.probes()
	if err != nil {
		return err
	}
	if err := c.start(ctx, plan.Base); err != nil {
		return err
	}
	if err := c.await(ctx, "waiting for containerd", build.Containerd, probes[build.Containerd]); err != nil {
		return err
	}
	if err := c.ensurePauseImage(ctx, binaries); err != nil {
		return err
	}
	for _, name := range []string{build.Etcd, build.APIServer} {
		if err := c.await(ctx, "waiting for "+name, name, probes[name]); err != nil {
			return err
		}
	}
	if err := c.start(ctx, plan.Rest); err != nil {
		return err
	}
	if err := c.applyAddons(ctx); err != nil {
		return err
	}
	for _, spec := range plan.Rest {
		if err := c.await(ctx, "waiting for "+spec.Name, spec.Name, probes[spec.Name]); err != nil {
			return err
		}
	}
	return c.awaitUsable(ctx)
}

func (c *Cluster) awaitUsable(ctx context.Context) error {
	for _, each := range []struct {
		what, component string
		probe           probe
	}{
		{"waiting for the node to be ready", build.Kubelet, c.nodeReady},
		{"waiting for the default service account", build.ControllerManager, c.namespaceReady},
		{"waiting for names to resolve", build.CoreDNS, c.nameResolves},
	} {
		if err := c.await(ctx, each.what, each.component, each.probe); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) start(ctx context.Context, specs []supervisor.Spec) error {
	for _, spec := range specs {
		if _, err := c.supervisor().Ensure(ctx, spec); err != nil {
			return fmt.Errorf("starting %s: %w", spec.Name, err)
		}
	}
	return nil
}

func (c *Cluster) ensurePauseImage(ctx context.Context, binaries build.Binaries) (err error) {
	store, err := c.images(binaries)
	if err != nil {
		return err
	}
	loaded, err := store.Has(ctx, components.PauseImage)
	if err != nil || loaded {
		return err
	}
	archive := filepath.Join(c.Instance.StateDir, "pause.tar")
	defer func() { err = errors.Join(err, os.Remove(archive)) }()
	pause := image.Single{Reference: components.PauseImage, Program: binaries.Path(build.Pause), User: "65535:65535"}
	if err := pause.WriteArchive(archive); err != nil {
		return err
	}
	_, err = store.Load(ctx, archive)
	return err
}

// recordComponents writes down the processes as the machine sees them.
func (c *Cluster) recordComponents(ctx context.Context, record instance.Record) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	statuses, err := c.supervisor().Statuses(ctx)
	if err != nil {
		return err
	}
	byInner, err := process.ChildrenByInnerPID(record.Supervisor)
	if err != nil {
		return err
	}
	statuses = slices.DeleteFunc(statuses, func(s supervisor.Status) bool { return !s.Running })
	record.Components = make(map[string]process.Identity, len(statuses))
	for _, status := range statuses {
		record.Components[status.Name] = byInner[status.PID]
	}
	return c.Instance.Save(record)
}
