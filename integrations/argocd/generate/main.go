// Command generate writes the settings of Argo CD that its scripts make up.
package main

import (
	"fmt"
	"os"

	"github.com/schemagate/schemagate/integrations/argocd"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generating settings of Argo CD:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want two arguments, the directory of the scripts and the file to write, got %d", len(args))
	}
	content, err := argocd.ConfigMap(args[0])
	if err != nil {
		return err
	}
	// Manifests are public, like the sources beside them.
	return os.WriteFile(args[1], content, 0o644) //nolint:gosec // see above
}
