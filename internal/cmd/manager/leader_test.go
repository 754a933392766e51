package manager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// answers is a Lease that is written, or not, as the test says.
type answers struct {
	resourcelock.Interface
	err error
}

func (a *answers) Identity() string { return "me" }

func (a *answers) Update(context.Context, resourcelock.LeaderElectionRecord) error { return a.err }

func (a *answers) Create(context.Context, resourcelock.LeaderElectionRecord) error { return a.err }

// TestLeads: by the clock, a leader is one for as long as its lease lasts since it
// last asked for it with success.
func TestLeads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const duration = 4 * time.Second
		api := &answers{}
		lock := &leaderLock{Interface: api, duration: duration}
		mine := resourcelock.LeaderElectionRecord{HolderIdentity: "me"}
		check := func(what string, want bool) {
			t.Helper()
			if got := lock.Leads(); got != want {
				t.Errorf("%s: Leads() = %t, want %t", what, got, want)
			}
		}
		check("never asked", false)
		if err := lock.Create(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		check("created", true)
		<-time.After(duration - 1)
		check("not over", true)
		<-time.After(1)
		check("over", false)
		if err := lock.Update(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		check("renewed", true)
		<-time.After(duration / 2)
		api.err = errors.New("the server is away")
		if err := lock.Update(t.Context(), mine); err == nil {
			t.Fatal("the error is lost")
		}
		check("not renewed, and not over", true)
		<-time.After(duration / 2)
		check("not renewed in time", false)
		api.err = nil
		if err := lock.Update(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if err := lock.Update(t.Context(), resourcelock.LeaderElectionRecord{}); err != nil {
			t.Fatal(err)
		}
		check("given back", false)
	})
	var alone *leaderLock
	if !alone.Leads() {
		t.Error("without an election nobody leads")
	}
}
