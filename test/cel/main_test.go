// Package cel_test sends specs to a real API server: every rule of the
// DatabaseSchema has rows that it accepts and rows that it refuses.
package cel_test

import (
	"context"
	"os"
	"testing"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	os.Exit(apiserver.Main(m, func(_ context.Context, s *apiserver.Server) error {
		server = s
		return nil
	}))
}
