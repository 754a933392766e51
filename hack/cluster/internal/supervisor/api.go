// Package supervisor is the first process of a node. It lives in namespaces of
// its own (processes, mounts, network, host name), prepares them, starts the
// components it is told to start and reaps what they leave behind. When it
// ends, the kernel ends every process of the node, and with the last of them
// go its mounts, its links and its packet filter rules.
package supervisor

import (
	"slices"
	"time"
)

// Spec says how to run one component.
type Spec struct {
	// Name is unique in the node.
	Name string `json:"name"`
	// Args is the command with its arguments.
	Args []string `json:"args"`
	// Env is the whole environment, as KEY=value.
	Env []string `json:"env"`
	// Log is the file that output is appended to.
	Log string `json:"log"`
	// Digest covers the files that the component reads when it starts.
	Digest string `json:"digest"`
}

// equal reports whether a component that runs by one spec is already what the
// other asks for.
func (s Spec) equal(other Spec) bool {
	return s.Name == other.Name && s.Log == other.Log && s.Digest == other.Digest &&
		slices.Equal(s.Args, other.Args) && slices.Equal(s.Env, other.Env)
}

// Status is what became of a component.
type Status struct {
	Name string `json:"name"`
	// PID is its number inside the node; 0 if it never started.
	PID     int       `json:"pid"`
	Running bool      `json:"running"`
	Started time.Time `json:"started"`
	// Ended says how it ended, empty while it runs.
	Ended string `json:"ended,omitempty"`
}

// Config is what the supervisor needs to know before it is asked to start
// anything. It is passed as its only argument, in JSON.
type Config struct {
	// HostName is set inside the node.
	HostName string `json:"hostName"`
	// RunDir is shared with the machine; Socket lies in it.
	RunDir string `json:"runDir"`
	Socket string `json:"socket"`
	// KubeletDir is where the kubelet's data are kept on the machine.
	KubeletDir string `json:"kubeletDir"`
}
