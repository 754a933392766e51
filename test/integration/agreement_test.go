package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/requirement"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/podcase"
)

// TestPoliciesAgreeWithTheOperator decides every pod of the table, beside a pod
// of every release the bundle knows and of its neighbors, twice: by the Go
// code that the operator uses, and by the API server. The server may leave a
// pod to the operator only where it would need the list of revision ids; it may
// never let one through that the operator would hold.
func TestPoliciesAgreeWithTheOperator(t *testing.T) {
	t.Parallel()
	b, err := bundle.Load(os.DirFS(filepath.Join(apiserver.RepositoryRoot(), "migrations", string(v1alpha1.BundleOpenWebUI))))
	if err != nil {
		t.Fatal(err)
	}
	cases := append(podcase.Cases(), releases(t, b)...)
	for _, state := range []struct {
		applied int
		birth   bundle.Birth
		target  int32
	}{
		{18, bundle.BirthPeewee, 0},
		{22, bundle.BirthPeewee, 22},
		{60, bundle.BirthPeewee095, 0},
		{66, bundle.BirthAlembic, 67},
		{73, bundle.BirthPeewee, 73},
		{76, bundle.BirthAlembic, 0},
	} {
		t.Run(fmt.Sprintf("%s at %d, target %d", state.birth, state.applied, state.target), func(t *testing.T) {
			t.Parallel()
			namespace := server.NewNamespace(t)
			interval := b.Interval(state.applied, state.birth)
			if interval == (bundle.Interval{}) {
				t.Fatal("nothing is served, so nothing is compared")
			}
			schema := apiserver.NewSchema(namespace, schemaName)
			if state.target > 0 {
				schema.Spec.Target = revision(v1alpha1.RevisionRef(fmt.Sprint(state.target)))
			}
			create(t, schema)
			if state.target > 0 {
				schema.Status.TargetRevision = v1alpha1.RevisionStatus{Version: state.target, ID: b.Revisions[state.target-1].ID}
			}
			serve(t, schema, v1alpha1.Serves{
				From: number(t, interval.From), To: number(t, interval.To),
				AppFrom: interval.AppFrom.String(), AppBefore: interval.AppBefore.String(),
			})
			agreed := map[bool]int{}
			for _, tc := range cases {
				pod := tc.Pod(namespace, schemaName)
				create(t, pod)
				byServer, byOperator := !schedgate.Has(pod), decide(t, b, interval, tc, int(state.target))
				left := tc.Want.Source == requirement.FromAnnotation && len(tc.Want.Revision) == 12
				if byServer != byOperator && (byServer || !left) {
					t.Errorf("%s: the API server lets it through: %v; the operator: %v", tc.Name, byServer, byOperator)
				}
				agreed[byServer]++
			}
			if agreed[true] == 0 || agreed[false] == 0 {
				t.Errorf("decisions %v: one of both was never made", agreed)
			}
		})
	}
}

// decide is the operator's decision about a pod.
func decide(t *testing.T, b *bundle.Bundle, interval bundle.Interval, tc podcase.Case, target int) bool {
	t.Helper()
	needs, err := requirement.Of(tc.Pod("default", schemaName))
	if err != nil {
		return false
	}
	required, err := needs.Resolve(b, target)
	return err == nil && interval.Serves(required)
}

// releases makes a pod of every release in the table, the patch after it and
// two that no table has.
func releases(t *testing.T, b *bundle.Bundle) []podcase.Case {
	t.Helper()
	table, err := b.Releases()
	if err != nil {
		t.Fatal(err)
	}
	tags := []string{"0.1.0", "1.0.0"}
	for _, release := range table {
		tags = append(tags, "v"+release.App.String(), release.App.NextPatch().String())
	}
	var cases []podcase.Case
	for _, tag := range tags {
		c := podcase.Cases()[0]
		c.Name = "release " + tag
		c.Containers[0].Image = "open-webui:" + tag
		c.Want = requirement.Requirement{Source: requirement.FromImage, Tag: tag}
		cases = append(cases, c)
	}
	return cases
}

// number converts an order number to the API's type.
func number(t *testing.T, version int) int32 {
	t.Helper()
	n, err := strconv.ParseInt(strconv.Itoa(version), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}
