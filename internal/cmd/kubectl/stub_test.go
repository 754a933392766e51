package kubectl

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// stub is an API server that has one schema, and takes note of what is changed in it.
type stub struct {
	client.Client
	schema  *v1alpha1.DatabaseSchema
	patches []string
	created []client.Object
}

func (s *stub) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if found, ok := into.(*v1alpha1.DatabaseSchema); ok && s.schema != nil {
		s.schema.DeepCopyInto(found)
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "objects"}, key.Name)
}

func (s *stub) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	body, err := patch.Data(object)
	s.patches = append(s.patches, string(body))
	return err
}

func (s *stub) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	s.created = append(s.created, object)
	return nil
}
