package image

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// namespace is where the kubelet looks for images.
const namespace = "k8s.io"

// Store is the image store of a node.
type Store struct {
	// Ctr is the path of containerd's client, Socket its server's address.
	Ctr, Socket string
	// Snapshotter is the one that pods are run with.
	Snapshotter string
}

// Load imports an archive (docker or OCI) and returns the names of its images.
func (s Store) Load(ctx context.Context, archive string) ([]string, error) {
	if _, err := os.Stat(archive); err != nil {
		return nil, fmt.Errorf("loading an image: %w", err)
	}
	// The client unpacks only the machine's own platform of a multi-platform
	// archive and ignores what the archive lacks of the others.
	output, err := s.run(ctx, "images", "import", "--snapshotter", s.Snapshotter, archive)
	if err != nil {
		return nil, fmt.Errorf("loading image archive %s: %w", archive, err)
	}
	return savedNames(output), nil
}

// savedNames reads the client's lines of the form "name saved". The client
// writes a blank where a name has a hyphen.
func savedNames(output string) []string {
	var names []string
	for line := range strings.Lines(output) {
		name, saved := strings.CutSuffix(strings.TrimSpace(line), "saved")
		if name = strings.TrimSpace(name); saved && name != "" {
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

// Has reports whether an image of that name is loaded.
func (s Store) Has(ctx context.Context, reference string) (bool, error) {
	output, err := s.run(ctx, "images", "list", "--quiet", "name=="+reference)
	return strings.TrimSpace(output) != "", err
}

func (s Store) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.Ctr, append([]string{"--address", s.Socket, "--namespace", namespace}, args...)...)
	// Apart from the answer: warnings would be taken for one.
	var problems bytes.Buffer
	cmd.Stderr = &problems
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return string(output), nil
}
