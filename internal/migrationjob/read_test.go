package migrationjob_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrationjob"
)

var now = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// at is a moment, in seconds after now.
func at(seconds int) metav1.Time {
	return metav1.NewTime(now.Add(time.Duration(seconds) * time.Second))
}

// job is one that has been started and has these conditions.
func job(conditions ...batchv1.JobCondition) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: "j", UID: "u", ResourceVersion: "7", Annotations: map[string]string{migrationjob.AnnotationDecision: "abc"},
		},
		Spec:   batchv1.JobSpec{Suspend: new(false)},
		Status: batchv1.JobStatus{Conditions: conditions},
	}
}

func condition(kind batchv1.JobConditionType, status corev1.ConditionStatus, reason string) batchv1.JobCondition {
	return batchv1.JobCondition{Type: kind, Status: status, Reason: reason}
}

// pod was created at a moment, and is in a phase with its container in a state.
func pod(created int, phase corev1.PodPhase, state corev1.ContainerState) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(created)}, Status: corev1.PodStatus{Phase: phase}}
	if state != (corev1.ContainerState{}) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{
			{Name: "sidecar", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 99, Message: "{}"}}},
			{Name: migrationjob.Container, Image: "schemagate:test", State: state},
		}
	}
	return p
}

func waits(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func ended(code int32, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Message: message, StartedAt: at(-20), FinishedAt: at(-10),
	}}
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(-20)}}
}

func unscheduled(reason, message string) corev1.Pod {
	p := pod(-30, corev1.PodPending, corev1.ContainerState{})
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: reason, Message: message},
	}
	return p
}

// deleted is a pod whose grace period ends at a moment.
func deleted(p corev1.Pod, end int) corev1.Pod {
	p.DeletionTimestamp = new(at(end))
	return p
}

func line(t *testing.T, r result.Result) string {
	t.Helper()
	text, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRead(t *testing.T) {
	t.Parallel()
	done := result.Result{Kind: result.Kind, Outcome: result.Done, From: 18, To: 19, Target: 19, Applied: 1}
	failed := result.Result{
		Kind: result.Kind, Outcome: result.Permanent, Reason: result.ReasonSQLError, From: 18, To: 18, Target: 19,
		Failure: &result.Failure{Revision: 19, SQLState: "42703"},
	}
	doneLine, failedLine := line(t, done), line(t, failed)
	suspended := job(condition(batchv1.JobSuspended, corev1.ConditionTrue, ""))
	suspended.Spec.Suspend = new(true)
	deleting := job()
	deleting.DeletionTimestamp = new(at(-1))
	started, finished := new(at(-20)), new(at(-10))
	creating := &migrationjob.Waiting{Reason: migrationjob.ContainerCreating}

	tests := map[string]struct {
		job  *batchv1.Job
		pods []corev1.Pod
		want migrationjob.Run // the fields that follow from the Job's name apart
	}{
		"suspended":       {job: suspended, want: migrationjob.Run{Suspended: true, State: migrationjob.Active}},
		"no pod yet":      {job: job(), want: migrationjob.Run{State: migrationjob.Active}},
		"being deleted":   {job: deleting, want: migrationjob.Run{Deleting: true, State: migrationjob.Active}},
		"pod not started": {job: job(), pods: []corev1.Pod{pod(-5, corev1.PodPending, corev1.ContainerState{})}, want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1, Waiting: creating}},
		"creating": {
			job: job(), pods: []corev1.Pod{pod(-5, corev1.PodPending, waits("ContainerCreating", ""))},
			want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1, Waiting: creating},
		},
		"unschedulable": {
			job: job(), pods: []corev1.Pod{unscheduled("Unschedulable", "0/1 nodes are available.")},
			want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1, Waiting: &migrationjob.Waiting{Reason: migrationjob.Unschedulable, Message: "0/1 nodes are available"}},
		},
		"a Secret is missing": {
			job: job(), pods: []corev1.Pod{pod(-5, corev1.PodPending, waits("CreateContainerConfigError", `secret "db" not found`))},
			want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1, Waiting: &migrationjob.Waiting{Reason: migrationjob.SecretMissing, Message: `secret "db" not found`}},
		},
		"the image is not to be had": {
			job: job(), pods: []corev1.Pod{pod(-5, corev1.PodPending, waits("ImagePullBackOff", "the registry says: token=hunter2"))},
			want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1, Waiting: &migrationjob.Waiting{
				Reason: migrationjob.ImageUnavailable, Message: "the image schemagate:test is not available (ImagePullBackOff)",
			}},
		},
		"the container cannot be created": {
			job: job(), pods: []corev1.Pod{pod(-5, corev1.PodPending, waits("RunContainerError", "exec: no such file"))},
			want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1, Waiting: &migrationjob.Waiting{
				Reason: migrationjob.ContainerFailed, Message: "the container runtime says RunContainerError",
			}},
		},
		"running": {
			job: job(), pods: []corev1.Pod{pod(-5, corev1.PodRunning, running())},
			want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1},
		},
		"ended, and the Job does not know": {
			job: job(), pods: []corev1.Pod{pod(-5, corev1.PodRunning, ended(0, doneLine+"\n"))},
			want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1, Result: &done, ExitCode: new(int32(0)), StartTime: started, FinishTime: finished},
		},
		"complete": {
			job: job(condition(batchv1.JobComplete, corev1.ConditionTrue, "")), pods: []corev1.Pod{pod(-5, corev1.PodSucceeded, ended(0, doneLine))},
			want: migrationjob.Run{State: migrationjob.Succeeded, Result: &done, ExitCode: new(int32(0)), StartTime: started, FinishTime: finished},
		},
		"a condition that is not true": {
			job:  job(condition(batchv1.JobComplete, corev1.ConditionFalse, ""), condition(batchv1.JobFailureTarget, corev1.ConditionTrue, "X")),
			want: migrationjob.Run{State: migrationjob.Active},
		},
		"failed with a result": {
			job:  job(condition(batchv1.JobFailed, corev1.ConditionTrue, "PodFailurePolicy")),
			pods: []corev1.Pod{pod(-5, corev1.PodFailed, ended(result.ExitPermanent, failedLine))},
			want: migrationjob.Run{
				State: migrationjob.Failed, FailureReason: "PodFailurePolicy", Result: &failed, ExitCode: new(int32(result.ExitPermanent)),
				StartTime: started, FinishTime: finished,
			},
		},
		"killed for its memory": {
			job:  job(condition(batchv1.JobFailed, corev1.ConditionTrue, "BackoffLimitExceeded")),
			pods: []corev1.Pod{pod(-5, corev1.PodFailed, ended(137, ""))},
			want: migrationjob.Run{State: migrationjob.Failed, FailureReason: "BackoffLimitExceeded", ExitCode: new(int32(137)), StartTime: started, FinishTime: finished},
		},
		"a message that is no result": {
			job: job(), pods: []corev1.Pod{pod(-5, corev1.PodFailed, ended(1, `panic: password=hunter2`))},
			want: migrationjob.Run{State: migrationjob.Active, ExitCode: new(int32(1)), StartTime: started, FinishTime: finished},
		},
		"past its deadline, without a pod": {
			job:  job(condition(batchv1.JobFailed, corev1.ConditionTrue, "DeadlineExceeded")),
			want: migrationjob.Run{State: migrationjob.Failed, FailureReason: "DeadlineExceeded"},
		},
		"a pod that is being deleted": {
			job: job(), pods: []corev1.Pod{deleted(pod(-5, corev1.PodRunning, running()), 10)},
			want: migrationjob.Run{State: migrationjob.Active, PodsLeft: 1},
		},
		"a pod on a lost node": {
			job: job(), pods: []corev1.Pod{deleted(pod(-5, corev1.PodRunning, running()), -31)},
			want: migrationjob.Run{State: migrationjob.Active, Overdue: 1},
		},
		"two pods": {
			// Somebody has made a second one; the newer one counts.
			job:  job(),
			pods: []corev1.Pod{pod(-9, corev1.PodFailed, ended(1, "")), pod(-5, corev1.PodFailed, ended(result.ExitPermanent, failedLine))},
			want: migrationjob.Run{
				State: migrationjob.Active, Result: &failed, ExitCode: new(int32(result.ExitPermanent)), StartTime: started, FinishTime: finished,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.Name, test.want.UID, test.want.ResourceVersion, test.want.Decision = "j", "u", "7", "abc"
			if diff := cmp.Diff(test.want, migrationjob.Read(test.job, test.pods, now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if over := test.want.State != migrationjob.Active; migrationjob.Read(test.job, test.pods, now).Ended() != over {
				t.Errorf("ended is not %t", over)
			}
		})
	}
}

func TestPodsLeft(t *testing.T) {
	t.Parallel()
	pods := []corev1.Pod{
		pod(0, corev1.PodSucceeded, ended(0, "")), pod(0, corev1.PodFailed, ended(1, "")), pod(0, corev1.PodRunning, running()),
		pod(0, corev1.PodPending, corev1.ContainerState{}), deleted(pod(0, corev1.PodRunning, running()), -31),
		deleted(pod(0, corev1.PodRunning, running()), -29), deleted(pod(0, corev1.PodFailed, ended(1, "")), -31),
	}
	if got := migrationjob.PodsLeft(pods, now); got != 3 {
		t.Errorf("%d pods are left, want 3", got)
	}
}

// FuzzRead: whatever a container says at its end, only a result is read from it,
// and what it waits for cannot break a line.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", `{"kind":"result","outcome":"done","from":1,"to":2}`, "panic: \x00\x1b[31m\x7f", strings.Repeat("ä", 300),
		`{"kind":"result","outcome":"permanent","reason":"SQLError","from":1,"to":1,"failure":{"found":["x"]}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		run := migrationjob.Read(job(), []corev1.Pod{pod(0, corev1.PodFailed, ended(1, text))}, now)
		if run.Result != nil {
			if _, err := run.Result.Encode(); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
		}
		for _, p := range []corev1.Pod{
			pod(0, corev1.PodPending, waits("CreateContainerConfigError", text)), pod(0, corev1.PodPending, waits(text, "")), unscheduled(text, text),
		} {
			w := migrationjob.Read(job(), []corev1.Pod{p}, now).Waiting
			if w == nil || len(w.Message) > 400 || strings.ContainsFunc(w.Message, func(c rune) bool { return c < ' ' || c == 0x7f }) {
				t.Errorf("it waits for %+v", w)
			}
		}
	})
}
