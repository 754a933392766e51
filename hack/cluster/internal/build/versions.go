// Package build compiles the components of a node from Go modules, once for
// each set of versions.
package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// modulePath is this program's own module; its go.mod states every version.
const modulePath = "github.com/schemagate/schemagate/hack/cluster"

// The modules that the components come from.
const (
	moduleKubernetes = "k8s.io/kubernetes"
	moduleEtcd       = "go.etcd.io/etcd/server/v3"
	moduleContainerd = "github.com/containerd/containerd/v2"
	moduleCoreDNS    = "github.com/coredns/coredns"
)

// ErrNoModule is returned when the program does not run in its own module.
var ErrNoModule = errors.New("the module of the components is not here")

// Versions are those of everything that decides what the programs do.
type Versions struct {
	Kubernetes string
	Etcd       string
	Containerd string
	CoreDNS    string
	// Go is the compiler, Platform the system it compiles for.
	Go       string
	Platform string
}

// String is one line for people.
func (v Versions) String() string {
	return fmt.Sprintf("Kubernetes %s, etcd %s, containerd %s, CoreDNS %s, %s %s",
		v.Kubernetes, v.Etcd, v.Containerd, v.CoreDNS, v.Go, v.Platform)
}

// Source is the module of the components on this machine.
type Source struct {
	// Dir is where its go.mod is.
	Dir      string
	Versions Versions
}

// FindSource asks the go command for the module around the working directory.
func FindSource(ctx context.Context) (Source, error) {
	env, err := goCommand(ctx, "", "env", "-json", "GOVERSION", "GOOS", "GOARCH", "GOMOD")
	if err != nil {
		return Source{}, err
	}
	var settings struct{ GOVERSION, GOOS, GOARCH, GOMOD string }
	if err := json.Unmarshal(env, &settings); err != nil {
		return Source{}, fmt.Errorf("decoding the settings of the go command: %w", err)
	}
	dir := filepath.Dir(settings.GOMOD)
	list, err := goCommand(ctx, dir, "list", "-m", "-f", "{{.Path}} {{.Version}}",
		modulePath, moduleKubernetes, moduleEtcd, moduleContainerd, moduleCoreDNS)
	if err != nil {
		return Source{}, fmt.Errorf("%w: run the program as go -C hack/cluster run . : %w", ErrNoModule, err)
	}
	found := make(map[string]string)
	for line := range strings.Lines(string(list)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[path] = version
	}
	return Source{Dir: dir, Versions: Versions{
		Kubernetes: found[moduleKubernetes],
		Etcd:       found[moduleEtcd],
		Containerd: found[moduleContainerd],
		CoreDNS:    found[moduleCoreDNS],
		Go:         settings.GOVERSION,
		Platform:   settings.GOOS + "-" + settings.GOARCH,
	}}, nil
}

// key names the directory of the programs: readable versions, and a digest of
// the versions, the flags and our own sources among them.
func (s Source) key() (string, error) {
	var decides bytes.Buffer // a buffer takes everything
	_, _ = fmt.Fprintln(&decides, s.Versions)
	for _, program := range programs(s.Versions) {
		_, _ = fmt.Fprintln(&decides, program.name, program.arguments())
		dir, own := strings.CutPrefix(program.pkg, "./")
		if !own {
			continue
		}
		err := fs.WalkDir(os.DirFS(filepath.Join(s.Dir, dir)), ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(filepath.Join(s.Dir, dir, path))
			_, _ = fmt.Fprintf(&decides, "%s %d\n%s", path, len(content), content)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("reading the source of %s: %w", program.name, err)
		}
	}
	digest := sha256.Sum256(decides.Bytes())
	return fmt.Sprintf("kubernetes-%s-%s-%x", s.Versions.Kubernetes, s.Versions.Platform, digest[:6]), nil
}

// environment of the go command: settings of the caller, such as a module
// proxy, count; the platform and C do not, the programs run on this machine.
func environment() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, environment()
	var problems bytes.Buffer
	cmd.Stderr = &problems
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problems.String()))
	}
	return output, nil
}
