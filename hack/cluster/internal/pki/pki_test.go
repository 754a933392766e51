package pki

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
)

func ensure(t *testing.T, inst instance.Instance) Store {
	t.Helper()
	store := NewStore(inst)
	if err := store.Ensure(inst); err != nil {
		t.Fatal(err)
	}
	return store
}

// contents are the files of a store by name.
func contents(t *testing.T, store Store) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(store.dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(store.dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := entry.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s (%v), want 0600", entry.Name(), info.Mode(), err)
		}
		files[entry.Name()] = string(content)
	}
	return files
}

func TestCertificatesServeTheirPurposeOnly(t *testing.T) {
	t.Parallel()
	inst := instance.Instance{Name: "a", StateDir: t.TempDir()}
	store := ensure(t, inst)
	authorities := map[string]*x509.CertPool{}
	for _, name := range []string{ClusterCA, EtcdCA, FrontProxyCA} {
		authority, err := store.load(name)
		if err != nil {
			t.Fatal(err)
		}
		authorities[name] = x509.NewCertPool()
		authorities[name].AddCert(authority.cert)
	}
	for _, request := range requests(inst) {
		issued, err := store.load(request.name)
		if err != nil {
			t.Fatal(err)
		}
		for name, pool := range authorities {
			for _, test := range []struct {
				usage  x509.ExtKeyUsage
				wanted bool
			}{
				{x509.ExtKeyUsageServerAuth, len(request.hosts) > 0},
				{x509.ExtKeyUsageClientAuth, len(request.hosts) == 0 || request.client},
			} {
				_, err := issued.cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{test.usage}})
				if want := test.wanted && name == request.authority; (err == nil) != want {
					t.Errorf("%s under %s for usage %d: %v, want valid %t", request.name, name, test.usage, err, want)
				}
			}
		}
	}
}

func TestAPIServerIsKnownByItsNames(t *testing.T) {
	t.Parallel()
	inst := instance.Instance{Name: "a", Slot: 3, StateDir: t.TempDir()}
	issued, err := ensure(t, inst).load(APIServer)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		"localhost", "127.0.0.1", "10.91.128.1", "10.91.255.2", "schemagate-a",
	} {
		if err := issued.cert.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if err := issued.cert.VerifyHostname("10.88.255.2"); err == nil {
		t.Error("the certificate is valid for another instance")
	}
}

func TestEnsureKeepsWhatIsGood(t *testing.T) {
	t.Parallel()
	inst := instance.Instance{Name: "a", StateDir: t.TempDir()}
	before := contents(t, ensure(t, inst))
	if diff := cmp.Diff(before, contents(t, ensure(t, inst))); diff != "" {
		t.Fatalf("a second run changed something (-before +after):\n%s", diff)
	}

	// What is damaged is replaced, and so is what another address invalidates.
	if err := os.WriteFile(NewStore(inst).Cert(AdminClient), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	inst.Slot = 1
	after := contents(t, ensure(t, inst))
	var changed []string
	for name := range before {
		if before[name] != after[name] {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	want := []string{
		"admin-client.crt", "admin-client.key", "etcd.crt", "etcd.key", "kube-apiserver.crt", "kube-apiserver.key",
		"kube-controller-manager.crt", "kube-controller-manager.key", "kube-scheduler.crt", "kube-scheduler.key",
		"kubelet.crt", "kubelet.key",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("unexpected changes (-want +got):\n%s", diff)
	}
}

func TestEnsureFollowsItsAuthority(t *testing.T) {
	t.Parallel()
	inst := instance.Instance{Name: "a", StateDir: t.TempDir()}
	store := ensure(t, inst)
	before := contents(t, store)
	if err := os.Remove(store.Key(EtcdCA)); err != nil {
		t.Fatal(err)
	}
	after := contents(t, ensure(t, inst))
	for name, changed := range map[string]bool{
		"etcd-ca.crt": true, "etcd.crt": true, "kube-apiserver-etcd-client.crt": true,
		"ca.crt": false, "kube-apiserver.crt": false, "service-account.key": false,
	} {
		if (before[name] != after[name]) != changed {
			t.Errorf("%s: changed %t, want %t", name, !changed, changed)
		}
	}
}
