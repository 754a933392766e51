package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"slices"
	"time"
)

// PEM block types.
const (
	blockCertificate = "CERTIFICATE"
	blockPrivateKey  = "PRIVATE KEY"
	blockPublicKey   = "PUBLIC KEY"
)

// pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// errUnusable marks a pair that has to be made anew.
var errUnusable = errors.New("unusable certificate")

func (s Store) ensureAuthority(name, instanceName string) (pair, error) {
	existing, err := s.load(name)
	if err == nil || !errors.Is(err, errUnusable) {
		return existing, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "schemagate " + instanceName + " " + name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return s.issue(name, template, nil)
}

func (s Store) ensureCertificate(r request, authority pair) error {
	template := r.template()
	existing, err := s.load(r.name)
	if err != nil && !errors.Is(err, errUnusable) {
		return err
	}
	if err == nil && existing.cert.CheckSignatureFrom(authority.cert) == nil && sameContent(existing.cert, template) {
		return nil
	}
	_, err = s.issue(r.name, template, &authority)
	return err
}

func (r request) template() *x509.Certificate {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: r.user, Organization: r.groups},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if len(r.hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if len(r.hosts) == 0 || r.client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	for _, host := range r.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template
}

func sameContent(a, b *x509.Certificate) bool {
	return a.Subject.CommonName == b.Subject.CommonName &&
		slices.Equal(a.Subject.Organization, b.Subject.Organization) &&
		slices.Equal(a.ExtKeyUsage, b.ExtKeyUsage) &&
		slices.Equal(a.DNSNames, b.DNSNames) &&
		slices.EqualFunc(a.IPAddresses, b.IPAddresses, net.IP.Equal)
}

// issue signs the template with a new key and stores both. Without an
// authority the certificate signs itself.
func (s Store) issue(name string, template *x509.Certificate, authority *pair) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("generating the key of %s: %w", name, err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return pair{}, fmt.Errorf("choosing the serial number of %s: %w", name, err)
	}
	// The clocks of the machine and of a virtual one on it differ a little.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(validity)
	parent := pair{cert: template, key: key}
	if authority != nil {
		parent = *authority
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		return pair{}, fmt.Errorf("signing the certificate of %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, fmt.Errorf("parsing the certificate of %s: %w", name, err)
	}
	if err := writeKey(s.Key(name), key); err != nil {
		return pair{}, err
	}
	return pair{cert: cert, key: key}, writePEM(s.Cert(name), blockCertificate, der)
}

func (s Store) ensureServiceAccountKey() error {
	if _, err := loadKey(s.Key(ServiceAccount)); err == nil || !errors.Is(err, errUnusable) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generating the service account key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encoding the service account key: %w", err)
	}
	// The public key first: the private one says that both are there.
	if err := writePEM(s.PublicKey(), blockPublicKey, public); err != nil {
		return err
	}
	return writeKey(s.Key(ServiceAccount), key)
}

// load returns errUnusable for a pair that is missing, damaged or about to
// expire.
func (s Store) load(name string) (pair, error) {
	key, err := loadKey(s.Key(name))
	if err != nil {
		return pair{}, err
	}
	der, err := readPEM(s.Cert(name), blockCertificate)
	if err != nil {
		return pair{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, fmt.Errorf("%w %s: %w", errUnusable, name, err)
	}
	if time.Until(cert.NotAfter) < renewWhen {
		return pair{}, fmt.Errorf("%w %s: expires %s", errUnusable, name, cert.NotAfter)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return pair{}, fmt.Errorf("%w %s: not made for its key", errUnusable, name)
	}
	return pair{cert: cert, key: key}, nil
}

func loadKey(path string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(path, blockPrivateKey)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w key %s: %w", errUnusable, path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w key %s: not an elliptic curve key", errUnusable, path)
	}
	return key, nil
}

func readPEM(path, blockType string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", errUnusable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != blockType {
		return nil, fmt.Errorf("%w: %s holds no %s", errUnusable, path, blockType)
	}
	return block.Bytes, nil
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	return writePEM(path, blockPrivateKey, der)
}

func writePEM(path, blockType string, der []byte) error {
	content := pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
