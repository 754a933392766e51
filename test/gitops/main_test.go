// Package gitops_test tries what is given to Argo CD, Flux and kustomize, on a real
// API server that has the resources of the first two.
package gitops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

var server *apiserver.Server

// programs are modules of which nothing is compiled: their resource definitions are
// in them. They are what was looked at when this was written.
var programs = []struct{ module, sum, definitions string }{
	{"github.com/argoproj/argo-cd/v3@v3.5.7", "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=", "manifests/crds"},
	{"github.com/fluxcd/kustomize-controller@v1.9.6", "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=", "config/crd/bases"},
	{"github.com/fluxcd/source-controller@v1.9.6", "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=", "config/crd/bases"},
}

func TestMain(m *testing.M) {
	os.Exit(apiserver.Main(m, func(ctx context.Context, s *apiserver.Server) error {
		server = s
		if err := s.InstallPolicies(ctx); err != nil {
			return fmt.Errorf("installing the admission policies: %w", err)
		}
		for _, program := range programs {
			directory, err := download(ctx, program.module, program.sum)
			if err != nil {
				return err
			}
			if err := define(s, filepath.Join(directory, program.definitions)); err != nil {
				return fmt.Errorf("%s: %w", program.module, err)
			}
		}
		return nil
	}))
}

func define(s *apiserver.Server, directory string) error {
	definitions, err := envtest.InstallCRDs(s.Config, envtest.CRDInstallOptions{Paths: []string{directory}, ErrorIfPathMissing: true, MaxTime: apiserver.Timeout})
	if err == nil && len(definitions) == 0 {
		err = fmt.Errorf("%s defines nothing", directory)
	}
	return err
}

// download returns the directory of a module, which has to be what it was.
func download(ctx context.Context, module, sum string) (string, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	command.Dir = apiserver.RepositoryRoot()
	out, err := command.Output()
	var got struct{ Dir, Sum, Error string }
	if parseErr := json.Unmarshal(out, &got); parseErr != nil {
		return "", errors.Join(err, parseErr)
	}
	if err != nil || got.Error != "" {
		return "", fmt.Errorf("downloading %s: %s: %w", module, got.Error, err)
	}
	if got.Sum != sum {
		return "", fmt.Errorf("%s has the sum %s, want %s", module, got.Sum, sum)
	}
	return got.Dir, nil
}
