package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
)

// Helper is a Job that has to succeed before pods are held and ended.
type Helper struct {
	// Kind says what it does.
	Kind migrationjob.Purpose

	// Name is that of the Job.
	Name string

	// Subject is the image, or the CronJob.
	Subject string

	// Pod is a pod that waits with this image; empty for a backup.
	Pod string
}

// HelperRun is such a Job as it was seen.
type HelperRun struct {
	// Name, UID and ResourceVersion of the Job.
	Name, UID, ResourceVersion string

	// State follows from the Job's conditions, or from what is known of the
	// image.
	State migrationjob.State

	// Waiting says why its pod does not run; nil when it does or has.
	Waiting *migrationjob.Waiting
}

// before decides what has to succeed first while the pods still serve; nil when
// nothing has. Between two attempts of one migration nothing serves any more.
func (d *decider) before(work *Work) *Decision {
	if d.goesOn(work) {
		return nil
	}
	for _, helper := range d.helpers(work) {
		if decision := d.helped(work, helper); decision != nil {
			return decision
		}
	}
	return nil
}

// helpers lists what has to succeed, in order: what is quick first.
func (d *decider) helpers(work *Work) []Helper {
	var out []Helper
	if d.running > 0 && ptr.Deref(d.spec.Rollout.CheckImage, true) {
		out = d.imageChecks(work)
	}
	if name := string(d.spec.Rollout.Before.CronJob); name != "" && !work.Inspects() {
		// The number of the last attempt keeps the backup from being that of the same
		// migration of another time.
		last := strconv.FormatInt(d.status.Attempt.Number, 10)
		out = append(out, Helper{
			Kind: migrationjob.PurposeBackup, Subject: name,
			Name: naming.Job(d.Schema.Name, string(d.Schema.UID), work.Digest, "before", name, last, d.handled(v1alpha1.AnnotationRetry)),
		})
	}
	return out
}

// maxImages is how many images are checked. Pods of one release have one.
const maxImages = 4

// imageChecks are for the images of the pods that can start afterwards.
func (d *decider) imageChecks(work *Work) []Helper {
	var out []Helper
	after := d.Bundle.Interval(work.To, bundle.Birth(d.status.Birth), d.overlay...)
	for _, pod := range d.Pods {
		need, known := d.need(pod)
		if !pod.Gated || pod.Terminating || pod.Superseded || pod.Image == "" || !known || !after.Serves(need) || len(out) == maxImages {
			continue
		}
		if slices.ContainsFunc(out, func(h Helper) bool { return h.Subject == pod.Image }) {
			continue
		}
		out = append(out, Helper{
			Kind: migrationjob.PurposeImageCheck, Subject: pod.Image, Pod: pod.Name,
			Name: naming.Job(d.Schema.Name, string(d.Schema.UID), "image", pod.Image),
		})
	}
	return out
}

// helped decides about one of them; nil when it has succeeded.
func (d *decider) helped(work *Work, helper Helper) *Decision {
	at := slices.IndexFunc(d.Helpers, func(run HelperRun) bool { return run.Name == helper.Name })
	backup := helper.Kind == migrationjob.PurposeBackup
	if at < 0 && backup && d.CronJobMissing {
		return &Decision{
			Action: Wait, Verdict: Progressing, Work: work, Reason: v1alpha1.ReasonCronJobMissing, After: recheck,
			Message: fmt.Sprintf("spec.rollout.before.cronJob is %q, and there is no such CronJob: create it, or correct the name. "+
				"Nothing is drained before.", helper.Subject),
		}
	}
	if at < 0 {
		decision := d.helping(work, helper, "begins")
		decision.Action, decision.Helper = Help, &helper
		return decision
	}
	run := d.Helpers[at]
	switch {
	case run.State == migrationjob.Succeeded:
		return nil
	case run.State == migrationjob.Failed && backup:
		decision := d.withWork(work, d.stall(v1alpha1.ReasonBackupFailed, fmt.Sprintf(
			"Job %s, made from CronJob %s, has failed, so nothing was drained. Mend it, then ask for another one with another value of the annotation %s.",
			helper.Name, helper.Subject, v1alpha1.AnnotationRetry)))
		return &decision
	}
	decision := d.helping(work, helper, "runs")
	if run.State == migrationjob.Failed {
		// Its pod was lost before the image was there: an image that cannot be pulled
		// is waited for. It tells nothing, so it makes room for another.
		decision.Action = Discard
		decision.Strays = []migrationjob.Run{{Name: run.Name, UID: run.UID, ResourceVersion: run.ResourceVersion}}
		return decision
	}
	unavailable := run.Waiting != nil && run.Waiting.Reason == migrationjob.ImageUnavailable
	if !backup && unavailable {
		decision.Reason = v1alpha1.ReasonApplicationImageUnavailable
		decision.Message = fmt.Sprintf("The image %s, which pod %s waits with, cannot be pulled, so nothing is drained. "+
			"It is tried again until it can be, or until the workload has another image.", helper.Subject, helper.Pod)
	} else if run.Waiting != nil && run.Waiting.Reason != migrationjob.ContainerCreating && run.Waiting.Message != "" {
		decision.Message += " Its pod waits: " + run.Waiting.Message + "."
	}
	return decision
}

func (d *decider) helping(work *Work, helper Helper, verb string) *Decision {
	decision := &Decision{Action: Wait, Verdict: Progressing, Work: work}
	switch helper.Kind {
	case migrationjob.PurposeBackup:
		decision.Reason = v1alpha1.ReasonBackingUp
		decision.Message = fmt.Sprintf("Before %s, Job %s %s, which is made from CronJob %s.", lower(d.describe(work)), helper.Name, verb, helper.Subject)
	case migrationjob.PurposeImageCheck:
		decision.Reason = v1alpha1.ReasonCheckingImage
		decision.Message = fmt.Sprintf("Before %s, Job %s %s: it shows that the image %s can be pulled.", lower(d.describe(work)), helper.Name, verb, helper.Subject)
	}
	return decision
}

// lower makes the beginning of a sentence its middle.
func lower(sentence string) string { return strings.ToLower(sentence[:1]) + sentence[1:] }
