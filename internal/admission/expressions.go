package admission

import (
	"fmt"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/appversion"
)

// The expressions below are CEL and run inside the API server. They follow
// internal/requirement step by step; a test sends one table of pods through
// both.

// variable is a named CEL expression that others refer to as variables.<name>.
type variable struct{ name, expression string }

var (
	// gated tells whether the pod carries our gate.
	gated = variable{"gated", fmt.Sprintf(
		`object.spec.?schedulingGates.orValue([]).exists(g, g.name == '%s')`, v1alpha1.GateName)}

	annotations = variable{"annotations", `object.metadata.?annotations.orValue({})`}

	// bound tells whether the creator has chosen the node. Such a pod is not
	// scheduled, and the API server refuses gates on it.
	bound = variable{"bound", `object.spec.?nodeName.orValue('') != ''`}

	// marked tells whether the served policy has let the pod through, for the
	// schema that it asks for.
	marked = variable{"marked", fmt.Sprintf(
		`variables.annotations[?'%s'].orValue('').startsWith(object.metadata.labels['%s'] + '/')`,
		v1alpha1.AnnotationServedBy, v1alpha1.LabelSchema)}

	// containerName is the name that makes a container the application's.
	containerName = variable{"containerName", fmt.Sprintf(
		`variables.annotations[?'%s'].orValue('%s')`, v1alpha1.AnnotationContainer, v1alpha1.DefaultContainer)}

	// app holds the application container, or nothing when it cannot be told.
	app = variable{"app", fmt.Sprintf(`object.spec.containers.exists(c, c.name == variables.containerName)
  ? object.spec.containers.filter(c, c.name == variables.containerName)
  : ('%s' in variables.annotations || size(object.spec.containers) != 1 ? [] : object.spec.containers)`,
		v1alpha1.AnnotationContainer)}

	// repository is the last part of the image reference, without digest:
	// ["name"] or ["name", "tag"].
	repository = variable{"repository", `[size(variables.app) == 1 ? variables.app[0].?image.orValue('') : '']
  .map(i, i.split('@')[0].split('/')).map(p, p[size(p) - 1].split(':'))[0]`}

	// tag is the image's tag, or "".
	tag = variable{"tag", `size(variables.repository) == 2 ? variables.repository[1] : ''`}

	// named is what says which release or revision the pod needs.
	named = variable{"named", fmt.Sprintf(`variables.annotations[?'%s'].orValue(variables.tag)`, v1alpha1.AnnotationRequires)}

	// isVersion tells whether that is an application version.
	isVersion = variable{"isVersion", fmt.Sprintf(`variables.named.matches(r'%s')`, appversion.Pattern)}

	// current tells whether the status belongs to the spec as it is, on a
	// resource that is there to stay.
	current = variable{"current", `!has(params.metadata.deletionTimestamp)
  && params.?status.?observedGeneration.orValue(-1) == params.metadata.generation`}

	// servesVersion: the pod names a release, and it lies in the interval.
	servesVersion = variable{"servesVersion", `variables.isVersion
  && params.?status.?serves.?appFrom.hasValue() && params.?status.?serves.?appBefore.hasValue()
  && semver(variables.named.replace('v', '').split('-')[0]).compareTo(semver(params.status.serves.appFrom)) >= 0
  && semver(variables.named.replace('v', '').split('-')[0]).compareTo(semver(params.status.serves.appBefore)) < 0`}

	// servesNumber: the pod names a revision by its order number, plain or
	// padded to three digits as in file names. An id is left to the operator,
	// who has the list.
	servesNumber = variable{"servesNumber", fmt.Sprintf(`'%s' in variables.annotations
  && variables.named.matches('^([1-9][0-9]{0,3}|0[0-9][0-9])$')
  && params.?status.?serves.?from.hasValue() && params.?status.?serves.?to.hasValue()
  && int(variables.named) >= params.status.serves.from && int(variables.named) <= params.status.serves.to`,
		v1alpha1.AnnotationRequires)}

	// servesTarget: the tag names no version, and the schema has an explicit
	// target, which it has reached.
	servesTarget = variable{"servesTarget", fmt.Sprintf(`!('%s' in variables.annotations)
  && size(variables.app) == 1 && !variables.isVersion
  && params.spec.?target.?type.orValue('Workload') != 'Workload'
  && params.?status.?targetRevision.?version.hasValue()
  && params.?status.?serves.?from.hasValue() && params.?status.?serves.?to.hasValue()
  && params.status.targetRevision.version >= params.status.serves.from
  && params.status.targetRevision.version <= params.status.serves.to`, v1alpha1.AnnotationRequires)}

	// disabled: the gate is switched off for this schema.
	disabled = variable{"disabled", fmt.Sprintf(
		`params.spec.?gate.orValue('%s') == '%s' && !has(params.metadata.deletionTimestamp)`,
		v1alpha1.GateEnforced, v1alpha1.GateDisabled)}

	// served is the decision.
	served = variable{"served", fmt.Sprintf(`variables.disabled || (variables.current
  && params.?status.?gate.?state.orValue('%s') == '%s'
  && (variables.servesVersion || variables.servesNumber || variables.servesTarget))`, v1alpha1.GateHeld, v1alpha1.GateOpen)}

	// decision is every variable that served builds on, in order.
	decision = []variable{
		gated, annotations, bound, containerName, app, repository, tag, named, isVersion,
		current, servesVersion, servesNumber, servesTarget, disabled, served,
	}
)
