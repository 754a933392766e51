package kubectl

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// repository is the root of the sources.
var repository = filepath.Join("..", "..", "..")

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{repository}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// referenceMark divides the guide from the reference that follows from the commands.
const referenceMark = "<!-- reference -->\n"

// TestReference: the guide has every command, as the program has it. The flags are
// in docs/reference/flags.md, which is generated.
// UPDATE_GOLDEN=1 writes it.
func TestReference(t *testing.T) {
	t.Parallel()
	guide, have, _ := strings.Cut(readFile(t, "docs", "guides", "kubectl.md"), referenceMark)
	want := ""
	for _, cmd := range NewPlugin().Commands() {
		want += reference(cmd)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(filepath.Join(repository, "docs", "guides", "kubectl.md"), []byte(guide+referenceMark+want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("docs/guides/kubectl.md is not what the commands say; run this test with UPDATE_GOLDEN=1 (-want +got):\n%s", diff)
	}
}

func reference(cmd *cobra.Command) string {
	text := fmt.Sprintf("\n### %s\n\n`kubectl schemagate %s`\n\n%s\n", cmd.Name(), cmd.Use, cmd.Long)
	flags := 0
	cmd.LocalNonPersistentFlags().VisitAll(func(*pflag.Flag) { flags++ })
	if flags > 0 {
		text += fmt.Sprintf("\n[Its flags](../reference/flags.md#schemagate-kubectl-%s).\n", cmd.Name())
	}
	return text
}

// TestPermissions: doctor asks for what config/rbac gives the operator.
func TestPermissions(t *testing.T) {
	t.Parallel()
	role := rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict([]byte(readFile(t, "config", "rbac", "role", "role.yaml")), &role); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				want = append(want, rule.APIGroups[0]+" "+resource+" "+verb)
			}
		}
	}
	for _, p := range permissions() {
		for verb := range strings.FieldsSeq(p.verbs) {
			got = append(got, p.group+" "+strings.TrimSuffix(p.resource+"/"+p.subresource, "/")+" "+verb)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config/rbac/role/role.yaml differs (-want +got):\n%s", diff)
	}
}

// TestDefinition: the fields of the types are those of the installed definition,
// and what is missing or new is named.
func TestDefinition(t *testing.T) {
	t.Parallel()
	object := "CustomResourceDefinition " + definitionName
	older := finding{Severity: severityError, Object: object, Message: "it is older than this program, and lacks spec.rollout.drainTimeoutSeconds", Remedy: installRemedy}
	for name, tc := range map[string]struct {
		change func(version *apiextensionsv1.CustomResourceDefinitionVersion, rollout map[string]apiextensionsv1.JSONSchemaProps)
		want   []finding
	}{
		"same": {},
		"older": {
			change: func(_ *apiextensionsv1.CustomResourceDefinitionVersion, rollout map[string]apiextensionsv1.JSONSchemaProps) {
				delete(rollout, "drainTimeoutSeconds")
			},
			want: []finding{older},
		},
		"newer": {
			change: func(_ *apiextensionsv1.CustomResourceDefinitionVersion, rollout map[string]apiextensionsv1.JSONSchemaProps) {
				rollout["novelty"] = apiextensionsv1.JSONSchemaProps{}
			},
			want: []finding{{
				Severity: severityWarning, Object: object, Message: "it is newer than this program, which does not know spec.rollout.novelty",
				Remedy: "Install the same version of kubectl-schemagate.",
			}},
		},
		"not served": {
			change: func(version *apiextensionsv1.CustomResourceDefinitionVersion, _ map[string]apiextensionsv1.JSONSchemaProps) {
				version.Served = false
			},
			want: []finding{{Severity: severityError, Object: object, Message: "it does not serve version v1alpha1", Remedy: installRemedy}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &apiextensionsv1.CustomResourceDefinition{}
			if err := yaml.Unmarshal([]byte(readFile(t, "config", "crd", "schemagate.dev_databaseschemas.yaml")), d); err != nil {
				t.Fatal(err)
			}
			if tc.change != nil {
				version := &d.Spec.Versions[0]
				tc.change(version, version.Schema.OpenAPIV3Schema.Properties["spec"].Properties["rollout"].Properties)
			}
			e := &examination{}
			e.compareDefinition(d)
			if diff := cmp.Diff(tc.want, e.findings); diff != "" {
				t.Error(diff)
			}
		})
	}
}
