package integration_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// server runs for all tests of this package, with the policies installed.
var server *apiserver.Server

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // every operator has one of its own
	os.Exit(apiserver.Main(m, func(ctx context.Context, s *apiserver.Server) error {
		server = s
		if err := s.InstallPolicies(ctx); err != nil {
			return fmt.Errorf("installing the admission policies: %w", err)
		}
		return nil
	}))
}
