package requirement_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/schemagate/schemagate/internal/appversion"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/requirement"
)

const manifest = `
name: shop
title: Shop
engines: [postgres]
newestRelease: 1.1.0
births: [{name: peewee, first: 1, appFrom: 1.0.0}, {name: alembic, first: 1, appFrom: 1.0.0}]
bornAlembicFrom: 1
revisions:
- {version: 1, id: aaaaaaaaaaaa, history: alembic, name: first, app: 1.0.0, touches: [a], label: additive, why: Creates a table.}
- {version: 2, id: bbbbbbbbbbbb, history: alembic, name: second, app: 1.1.0, touches: [b], label: additive, why: Creates a table.}
`

func TestResolve(t *testing.T) {
	t.Parallel()
	b, err := bundle.Load(fstest.MapFS{bundle.ManifestName: {Data: []byte(manifest)}})
	if err != nil {
		t.Fatal(err)
	}
	v := func(s string) appversion.Version {
		version, err := appversion.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	image := func(s string) requirement.Requirement {
		return requirement.Requirement{Source: requirement.FromImage, App: v(s), Tag: s}
	}
	annotated := func(ref string) requirement.Requirement {
		return requirement.Requirement{Source: requirement.FromAnnotation, Revision: ref}
	}
	overlay := []bundle.Release{{App: v("1.2.0"), Revision: "2"}}
	tests := map[string]struct {
		needs   requirement.Requirement
		target  int
		overlay []bundle.Release
		want    int    // 0: an UnknownError
		says    string // in the error
	}{
		"first release":      {needs: image("1.0.0"), want: 1},
		"release in between": {needs: image("1.0.9"), want: 1},
		"newest release":     {needs: image("1.1.0"), want: 2},
		"release too new":    {needs: image("1.1.1"), says: "newer than 1.1.0"},
		"release too old":    {needs: image("0.9.9"), says: "older than 1.0.0"},
		"a target helps no tag that names a version": {needs: image("1.1.1"), target: 2, says: "newer than 1.1.0"},
		"release of the overlay":                     {needs: image("1.2.0"), overlay: overlay, want: 2},
		"annotation, number":                         {needs: annotated("2"), want: 2},
		"annotation, padded":                         {needs: annotated("002"), want: 2},
		"annotation, id":                             {needs: annotated("aaaaaaaaaaaa"), want: 1},
		"annotation, unknown id":                     {needs: annotated("cccccccccccc"), target: 2, says: "no revision of the bundle shop"},
		"annotation, number 0":                       {needs: annotated("0"), says: "1 to 2"},
		"annotation, latest":                         {needs: annotated("latest"), says: "no revision"},
		"explicit target":                            {needs: requirement.Requirement{Source: requirement.FromTarget, Tag: "main"}, target: 2, want: 2},
		"no target":                                  {needs: requirement.Requirement{Source: requirement.FromTarget, Tag: "main"}, says: `tag "main"`},
		"no target and no tag":                       {needs: requirement.Requirement{Source: requirement.FromTarget}, says: "no tag"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.needs.Resolve(b, tc.target, tc.overlay...)
			if tc.want > 0 {
				if got != tc.want || err != nil {
					t.Errorf("Resolve() = %d, %v, want %d", got, err, tc.want)
				}
				return
			}
			var unknown *requirement.UnknownError
			if !errors.As(err, &unknown) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("Resolve() = %d, %v, want an UnknownError that says %q", got, err, tc.says)
			}
		})
	}
	var invalid *bundle.OverlayError
	if _, err := image("1.0.0").Resolve(b, 0, bundle.Release{App: v("1.0.0"), Revision: "2"}); !errors.As(err, &invalid) {
		t.Errorf("Resolve() with a bad overlay = %v, want an OverlayError", err)
	}
}
