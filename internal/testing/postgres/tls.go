package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues certificates that are good for an hour.
type Authority struct {
	// PEM is its own certificate.
	PEM []byte

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority of its own.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	a := &Authority{}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.PEM, _, a.cert, a.key = a.issue(tb, template)
	return a
}

// Client issues the certificate of a role, with its key, both in PEM.
func (a *Authority) Client(tb testing.TB, role string) (cert, key []byte) {
	tb.Helper()
	cert, key, _, _ = a.issue(tb, &x509.Certificate{
		Subject: pkix.Name{CommonName: role}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return cert, key
}

func (a *Authority) issue(tb testing.TB, template *x509.Certificate) (certPEM, keyPEM []byte, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	tb.Helper()
	fail := func(err error) {
		if err != nil {
			tb.Fatalf("Issuing a certificate: %v", err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	fail(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	fail(err)
	cert, err = x509.ParseCertificate(der)
	fail(err)
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return certPEM, keyPEM, cert, key
}

// Certified is the role whose members the server of [Server.ServeTLS] knows by their
// certificates, and not by a password.
const Certified = "certified"

// ServeTLS restarts the server with a certificate for some names or addresses. It
// takes connections over the network only with TLS from then on, by password or, from
// members of the role [Certified], by a certificate of the authority.
func (s *Server) ServeTLS(tb testing.TB, a *Authority, names ...string) {
	tb.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: names[0]}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, key, _, _ := a.issue(tb, template)
	in := func(name string) string { return filepath.Join(s.dir, name) }
	for name, content := range map[string][]byte{
		"server.crt": cert, "server.key": key, "ca.crt": a.PEM,
		"hba.conf": []byte("local all all trust\nhostssl all +" + Certified + " all cert\nhostssl all all all scram-sha-256\n"),
	} {
		if err := errors.Join(os.WriteFile(in(name), content, 0o600), s.workspace.account.own(in(name))); err != nil {
			tb.Fatalf("Setting PostgreSQL up for TLS: %v", err)
		}
	}
	s.Exec(tb, "CREATE ROLE "+Certified)
	s.Restart(tb, Setting("ssl", "on"), Setting("ssl_cert_file", in("server.crt")), Setting("ssl_key_file", in("server.key")),
		Setting("ssl_ca_file", in("ca.crt")), Setting("hba_file", in("hba.conf")))
}
