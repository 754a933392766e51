package controllers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/metrics"
	"github.com/schemagate/schemagate/internal/naming"
)

// policyKinds are the kinds of the admission policies by name. Each has a binding
// of the same name, whose kind ends with Binding.
var policyKinds = map[string]string{
	naming.PolicyAdd: "MutatingAdmissionPolicy", naming.PolicyServed: "MutatingAdmissionPolicy",
	naming.PolicyClosed: "ValidatingAdmissionPolicy", naming.PolicyClosedServed: "ValidatingAdmissionPolicy",
	naming.PolicyKeep: "ValidatingAdmissionPolicy", naming.PolicyFixed: "ValidatingAdmissionPolicy",
}

// Policies looks whether the admission policies are in the cluster. Without the
// mutating ones, which Kubernetes has since 1.36, pods get no gate by themselves;
// without the others, gates can be taken off. It is safe for concurrent use.
type Policies struct {
	// Reader asks the API server itself.
	Reader client.Reader

	// Interval is the pause between two looks; 0 means to look once.
	Interval time.Duration

	// Changed is sent an event of each schema when what is missing has changed.
	Changed chan event.TypedGenericEvent[*v1alpha1.DatabaseSchema]

	// Schemas lists the schemas to tell.
	Schemas client.Reader

	// Metrics are told how many are missing; nil where that is as it should be.
	Metrics *metrics.Metrics

	mu      sync.Mutex
	looked  bool
	missing []string
}

// Missing names what is not there, in order; nothing while nobody has looked, or
// may look.
func (p *Policies) Missing() []string {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missing
}

// Check is for readiness: it fails while policies are missing, or were not
// looked for yet.
func (p *Policies) Check(*http.Request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.looked:
		return fmt.Errorf("the admission policies were not looked for yet")
	case len(p.missing) > 0:
		return fmt.Errorf("these are not installed: %s; install config/admission, or put the gate into the template of the pods and set --admission-policies=Optional",
			strings.Join(p.missing, ", "))
	}
	return nil
}

// NeedLeaderElection is false: every replica tells of its readiness.
func (p *Policies) NeedLeaderElection() bool { return false }

// Start looks until the context ends.
func (p *Policies) Start(ctx context.Context) error {
	for {
		p.look(ctx)
		pause := p.pause()
		if pause == 0 {
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// When to look again where nothing was found out, and while policies are missing:
// they are often applied a moment after the operator, which is not ready before.
const (
	policiesRetry   = 5 * time.Second
	policiesRecheck = 30 * time.Second
)

// pause is that until the next look; 0 for none.
func (p *Policies) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.looked:
		return policiesRetry
	case len(p.missing) > 0 && p.Interval > 0:
		return min(policiesRecheck, p.Interval)
	}
	return p.Interval
}

// look keeps what it has found out before when it cannot find out.
func (p *Policies) look(ctx context.Context) {
	logger := log.FromContext(ctx).WithName("policies")
	missing, err := p.find(ctx)
	if err != nil && !apierrors.IsForbidden(err) {
		logger.Error(err, "Looking for the admission policies")
		return
	}
	switch {
	case err != nil:
		logger.Info("The operator may not look whether the admission policies are installed; it takes them to be")
	case p.Metrics != nil:
		p.Metrics.PoliciesMissing(len(missing))
	}
	p.mu.Lock()
	changed := p.looked && !slices.Equal(p.missing, missing) || !p.looked && len(missing) > 0
	p.looked, p.missing = true, missing
	p.mu.Unlock()
	if !changed {
		return
	}
	if len(missing) > 0 {
		logger.Info("Admission policies are not installed: pods get no gate by themselves, or lose it to anybody", "reason", strings.Join(missing, ", "))
	} else {
		logger.Info("All admission policies are installed")
	}
	// A replica that does not lead has nobody who listens.
	go p.tell(ctx)
}

func (p *Policies) find(ctx context.Context) ([]string, error) {
	var missing []string
	for name, kind := range policyKinds {
		for _, kind := range []string{kind, kind + "Binding"} {
			object := &metav1.PartialObjectMetadata{}
			object.SetGroupVersionKind(admissionregistrationv1.SchemeGroupVersion.WithKind(kind))
			err := p.Reader.Get(ctx, types.NamespacedName{Name: name}, object)
			switch {
			case apierrors.IsNotFound(err), apimeta.IsNoMatchError(err):
				missing = append(missing, kind+" "+name)
			case err != nil:
				return nil, err
			}
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// tell has every schema looked at again.
func (p *Policies) tell(ctx context.Context) {
	schemas := &v1alpha1.DatabaseSchemaList{}
	if err := p.Schemas.List(ctx, schemas); err != nil {
		log.FromContext(ctx).Error(err, "Listing DatabaseSchemas")
		return
	}
	for i := range schemas.Items {
		select {
		case p.Changed <- event.TypedGenericEvent[*v1alpha1.DatabaseSchema]{Object: &schemas.Items[i]}:
		case <-ctx.Done():
			return
		}
	}
}
