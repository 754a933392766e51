package docs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/pages"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Main(m, func(ctx context.Context, s *apiserver.Server) error {
		server = s
		return s.InstallPolicies(ctx)
	}))
}

// elsewhere are kinds that the API server does not know, each with who checks what
// the pages have of them.
var elsewhere = map[string]string{
	"kustomize.config.k8s.io/v1beta1 Kustomization": "test/gitops builds those of the guide on kustomize",
	"kustomize.toolkit.fluxcd.io/v1 Kustomization":  "test/gitops has the examples checked by Flux' own definitions; here only the form",
}

// TestManifests has every manifest checked by an API server as if it were created,
// strictly. What has no kind is a part of one, or values: TestParts has those.
func TestManifests(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	created, used := 0, map[string]bool{}
	for _, p := range pages.All(t) {
		for _, b := range p.Blocks {
			if b.Language != "yaml" {
				continue
			}
			for _, object := range documents(t, b) {
				kind := object.GetAPIVersion() + " " + object.GetKind()
				if object.GetKind() == "" {
					continue
				}
				if elsewhere[kind] != "" {
					used[kind] = true
					continue
				}
				created++
				if err := create(t, object, namespace); err != nil {
					t.Errorf("%s:%d: %s %s: %v", b.Page, b.Line, kind, object.GetName(), err)
				}
			}
		}
	}
	if created < 5 {
		t.Errorf("only %d manifests were checked", created)
	}
	for kind := range elsewhere {
		if !used[kind] {
			t.Errorf("no page has a %s any more: take it from the list", kind)
		}
	}
}

func documents(t *testing.T, b pages.Block) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(b.Text)), 4096)
	for {
		var content any
		err := decoder.Decode(&content)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Errorf("%s:%d: %v", b.Page, b.Line, err)
			return all
		}
		if object, ok := content.(map[string]any); ok {
			all = append(all, &unstructured.Unstructured{Object: object})
		}
	}
}

// create has the API server say whether it would create an object. Whichever
// namespace that names, it stands for the one there is.
func create(t *testing.T, object *unstructured.Unstructured, namespace string) error {
	t.Helper()
	object = object.DeepCopy()
	mapping, err := server.Client.RESTMapper().RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
	if err != nil {
		return fmt.Errorf("the API server does not know it: %w", err)
	}
	if mapping.Scope.Name() == "namespace" {
		object.SetNamespace(namespace)
	}
	err = server.Client.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))
	if apierrors.IsAlreadyExists(err) && !strings.Contains(err.Error(), "strict") {
		return nil
	}
	return err
}
