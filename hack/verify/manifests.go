package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gvk "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// document is one object, as text and decoded.
type document struct {
	yaml   []byte
	object unstructured.Unstructured
}

// String names the object in messages.
func (d document) String() string {
	name := d.object.GetName()
	if namespace := d.object.GetNamespace(); namespace != "" {
		name = namespace + "/" + name
	}
	return d.object.GetKind() + " " + name
}

// readDocuments splits a YAML stream. Documents without content are left out.
func readDocuments(input io.Reader) ([]document, error) {
	var documents []document
	reader := utilyaml.NewYAMLReader(bufio.NewReader(input))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		doc := document{yaml: text}
		// Strict, because of two keys of one name only the last would count.
		asJSON, err := yaml.YAMLToJSONStrict(text)
		if err != nil {
			return nil, err
		}
		// This decoder tells integers from floating-point numbers, as CEL does.
		if err := utiljson.Unmarshal(asJSON, &doc.object.Object); err != nil {
			return nil, err
		}
		if len(doc.object.Object) == 0 {
			continue
		}
		if doc.object.GetKind() == "" || doc.object.GetAPIVersion() == "" || doc.object.GetName() == "" {
			return nil, fmt.Errorf("a document lacks apiVersion, kind or metadata.name:\n%s", text)
		}
		documents = append(documents, doc)
	}
}

// definition is what a custom resource is checked against.
type definition struct {
	structural *schema.Structural
	schema     schemavalidation.SchemaValidator
	rules      *cel.Validator
}

type validator struct {
	strict      runtime.Decoder
	definitions map[gvk.GroupVersionKind]definition
}

func newValidator() (*validator, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	install.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	return &validator{
		strict:      codecs.UniversalDeserializer(),
		definitions: map[gvk.GroupVersionKind]definition{},
	}, nil
}

// validate reports all that is wrong, not only the first fault.
func (v *validator) validate(ctx context.Context, documents []document) error {
	var errs []error
	for _, doc := range documents {
		if isDefinition(doc) {
			errs = append(errs, v.define(ctx, doc))
		}
	}
	type key struct {
		kind            gvk.GroupKind
		namespace, name string
	}
	seen := map[key]bool{}
	for _, doc := range documents {
		k := key{doc.object.GroupVersionKind().GroupKind(), doc.object.GetNamespace(), doc.object.GetName()}
		if seen[k] {
			errs = append(errs, fmt.Errorf("%s: there are two of it", doc))
		}
		seen[k] = true
		if !isDefinition(doc) {
			errs = append(errs, v.validateDocument(ctx, doc))
		}
	}
	return errors.Join(errs...)
}

func isDefinition(doc document) bool {
	return doc.object.GroupVersionKind() == apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")
}

func (v *validator) validateDocument(ctx context.Context, doc document) error {
	if def, ok := v.definitions[doc.object.GroupVersionKind()]; ok {
		return def.validate(ctx, doc)
	}
	_, _, err := v.strict.Decode(doc.yaml, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return fmt.Errorf("%s: nothing defines %s; give its definition with -crd", doc, doc.object.GroupVersionKind())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doc, err)
	}
	return nil
}

// define checks a custom resource definition and keeps its versions.
func (v *validator) define(ctx context.Context, doc document) error {
	if !isDefinition(doc) {
		return fmt.Errorf("%s: not a custom resource definition", doc)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if _, _, err := v.strict.Decode(doc.yaml, nil, crd); err != nil {
		return fmt.Errorf("%s: %w", doc, err)
	}
	apiextensionsv1.SetDefaults_CustomResourceDefinition(crd)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&crd.Spec)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, internal, nil); err != nil {
		return fmt.Errorf("%s: %w", doc, err)
	}
	// The server fills this in when it stores the definition.
	for _, version := range internal.Spec.Versions {
		if version.Storage {
			internal.Status.StoredVersions = []string{version.Name}
		}
	}
	if errs := validation.ValidateCustomResourceDefinition(ctx, internal); len(errs) > 0 {
		return prefixed(doc, errs)
	}
	for _, version := range internal.Spec.Versions {
		def, err := newDefinition(internal, version)
		if err != nil {
			return fmt.Errorf("%s, version %s: %w", doc, version.Name, err)
		}
		v.definitions[gvk.GroupVersionKind{
			Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind,
		}] = def
	}
	return nil
}

func newDefinition(crd *apiextensions.CustomResourceDefinition, version apiextensions.CustomResourceDefinitionVersion) (definition, error) {
	schemaOf, err := apiextensions.GetSchemaForVersion(crd, version.Name)
	if err != nil {
		return definition{}, err
	}
	structural, err := schema.NewStructural(schemaOf.OpenAPIV3Schema)
	if err != nil {
		return definition{}, err
	}
	schemaValidator, _, err := schemavalidation.NewSchemaValidator(schemaOf.OpenAPIV3Schema)
	if err != nil {
		return definition{}, err
	}
	return definition{
		structural: structural,
		schema:     schemaValidator,
		rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

// validate does to a custom resource what the server does when it is created.
func (d definition) validate(ctx context.Context, doc document) error {
	object := doc.object.DeepCopy().Object
	unknown := pruning.PruneWithOptions(object, d.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	var errs field.ErrorList
	for _, path := range unknown {
		errs = append(errs, field.Invalid(field.NewPath(path), field.OmitValueType{}, "unknown field"))
	}
	defaulting.Default(object, d.structural)
	errs = append(errs, schemavalidation.ValidateCustomResource(nil, object, d.schema)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, d.structural, object)...)
	if len(errs) == 0 && d.rules != nil {
		// The rules may rely on what the schema says.
		ruleErrs, _ := d.rules.Validate(ctx, nil, d.structural, object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, ruleErrs...)
	}
	return prefixed(doc, errs)
}

func prefixed(doc document, list field.ErrorList) error {
	var errs []error
	for _, err := range list {
		errs = append(errs, fmt.Errorf("%s: %w", doc, err))
	}
	return errors.Join(errs...)
}
