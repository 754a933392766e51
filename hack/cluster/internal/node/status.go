package node

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
)

// Status is what is known about an instance from outside.
type Status struct {
	Name       string `json:"name"`
	Running    bool   `json:"running"`
	Healthy    bool   `json:"healthy"`
	Kubeconfig string `json:"kubeconfig"`
	APIServer  string `json:"apiServer"`
	Binaries   string `json:"binaries"`
	Logs       string `json:"logs"`
	// HostAddress is where the machine is reached from pods.
	HostAddress string `json:"hostAddress"`
	NodeAddress string `json:"nodeAddress"`
	PodCIDR     string `json:"podCIDR"`
	ServiceCIDR string `json:"serviceCIDR"`
	// PID is the node's first process as the machine sees it.
	PID        int               `json:"pid"`
	Components []ComponentStatus `json:"components"`
}

// ComponentStatus is what is known about one process.
type ComponentStatus struct {
	Name string `json:"name"`
	// PID is the process as the machine sees it; 0 if it does not run.
	PID int `json:"pid"`
	// Problem is empty when the component answers that it is well.
	Problem string `json:"problem,omitempty"`
}

// Status inspects the instance. It returns ErrNotStarted for one that was
// never started, and no error for one that is broken.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	record, err := c.attach()
	if err != nil {
		return Status{}, err
	}
	addresses := c.Instance.Addresses()
	status := Status{
		Name:        c.Instance.Name,
		Running:     record.Supervisor.Alive(),
		Kubeconfig:  c.Instance.Kubeconfig(),
		APIServer:   addresses.APIServer(),
		Binaries:    record.Binaries,
		Logs:        c.Instance.LogDir(),
		HostAddress: addresses.Host.String(),
		NodeAddress: addresses.Node.String(),
		PodCIDR:     addresses.Pods.String(),
		ServiceCIDR: addresses.Services.String(),
		PID:         record.Supervisor.PID,
	}
	status.Components, err = c.componentStatuses(ctx, record)
	status.Healthy = status.Running && !slices.ContainsFunc(status.Components,
		func(s ComponentStatus) bool { return s.Problem != "" })
	return status, err
}

// componentStatuses asks all at once: one that hangs must not delay the rest.
func (c *Cluster) componentStatuses(ctx context.Context, record instance.Record) ([]ComponentStatus, error) {
	probes, err := c.probes()
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(probes))
	statuses := make([]ComponentStatus, len(names))
	var asked sync.WaitGroup
	for n, name := range names {
		id := record.Components[name]
		if !id.Alive() {
			statuses[n] = ComponentStatus{Name: name, Problem: "not running"}
			continue
		}
		asked.Go(func() {
			statuses[n] = ComponentStatus{Name: name, PID: id.PID}
			if err := attempt(ctx, probes[name]); err != nil {
				statuses[n].Problem = err.Error()
			}
		})
	}
	asked.Wait()
	return statuses, nil
}
