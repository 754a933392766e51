// Verify checks Kubernetes manifests without a cluster: it reads a stream of
// YAML documents from standard input, for example what "kustomize build"
// prints, and reports everything that an API server would not accept of it.
//
//	kustomize build config/default | verify -crd config/crd
//
// It decodes the built-in kinds strictly, so that a misspelled field is an error,
// checks custom resource definitions as the API server does, their CEL rules
// included, and checks custom resources against their definitions. What only a
// running server knows, such as references and admission, it cannot see; the
// integration tests apply the same manifests to one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	crds := flags.String("crd", "", "`directory` with further custom resource definitions, one file each")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	v, err := newValidator()
	if err != nil {
		return err
	}
	if *crds != "" {
		if err := v.addDefinitions(ctx, *crds); err != nil {
			return err
		}
	}
	documents, err := readDocuments(input)
	if err != nil {
		return err
	}
	if len(documents) == 0 {
		// Otherwise a failed build before the pipe would look like a success.
		return errors.New("no manifests on standard input")
	}
	if err := v.validate(ctx, documents); err != nil {
		return err
	}
	_, err = fmt.Fprintf(output, "%d manifests are valid\n", len(documents))
	return err
}

// addDefinitions reads the definitions of custom resources that the input uses
// but does not contain.
func (v *validator) addDefinitions(ctx context.Context, dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		if err := v.addDefinitionFile(ctx, path); err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
	}
	return nil
}

func (v *validator) addDefinitionFile(ctx context.Context, path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	documents, err := readDocuments(file)
	if err != nil {
		return err
	}
	for _, doc := range documents {
		if err := v.define(ctx, doc); err != nil {
			return err
		}
	}
	return nil
}
