package stack

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"html/template"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/crewjam/saml"
)

// SAMLIdP is a SAML 2.0 identity provider, to stand behind Dex: people sign in on
// its page with "user" and "password", and it remembers them by a cookie. Ada is
// in the groups staff and ops.
type SAMLIdP struct {
	Dir    string
	Listen string // host:port
	SP     string // the entity id of the service provider, Dex
	ACS    string // where Dex takes assertions
	Return string // where people may be sent after they have signed out

	CertFile string // of the key that signs, PEM; set by Start

	page   *template.Template
	idp    *saml.IdentityProvider
	server *http.Server
	logs   *os.File

	mu       sync.Mutex
	sessions map[string]*saml.Session // by cookie
}

// URL is its origin.
func (p *SAMLIdP) URL() string { return "http://" + p.Listen }

// Issuer is the entity id in its answers.
func (p *SAMLIdP) Issuer() string { return p.URL() + "/metadata" }

// SignOut ends the session of a browser and sends it back.
func (p *SAMLIdP) SignOut() string { return p.URL() + "/logout" }

// SSO is where authentication requests go.
func (p *SAMLIdP) SSO() string { return p.URL() + "/sso" }

// Start makes a key, writes its certificate and listens.
func (p *SAMLIdP) Start() error {
	key, cert, err := selfSigned("Doorward test SAML")
	if err != nil {
		return err
	}
	p.CertFile = filepath.Join(p.Dir, "saml.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	if err := os.WriteFile(p.CertFile, block, 0o600); err != nil {
		return fmt.Errorf("stack: saml: %w", err)
	}
	if p.logs, err = os.Create(filepath.Join(p.Dir, "saml.log")); err != nil {
		return fmt.Errorf("stack: saml: %w", err)
	}
	p.sessions = map[string]*saml.Session{}
	p.page = template.Must(template.New("sign in").Parse(samlPage))
	p.idp = &saml.IdentityProvider{
		Key: key, Certificate: cert, Logger: log.New(p.logs, "", log.LstdFlags),
		MetadataURL:             url.URL{Scheme: "http", Host: p.Listen, Path: "/metadata"},
		SSOURL:                  url.URL{Scheme: "http", Host: p.Listen, Path: "/sso"},
		ServiceProviderProvider: p,
		SessionProvider:         p,
	}
	listener, err := net.Listen("tcp", p.Listen)
	if err != nil {
		return fmt.Errorf("stack: saml: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.idp.Handler())
	mux.HandleFunc("GET /logout", p.signOut)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = p.server.Serve(listener) }() // ends with Stop
	return nil
}

// Stop ends open connections, too.
func (p *SAMLIdP) Stop() error {
	if p.server == nil {
		return nil
	}
	defer p.logs.Close()
	return p.server.Close()
}

// GetServiceProvider knows Dex alone.
func (p *SAMLIdP) GetServiceProvider(_ *http.Request, id string) (*saml.EntityDescriptor, error) {
	if id != p.SP {
		return nil, os.ErrNotExist
	}
	consumer := saml.IndexedEndpoint{Binding: saml.HTTPPostBinding, Location: p.ACS, Index: 1}
	return &saml.EntityDescriptor{
		EntityID: id,
		SPSSODescriptors: []saml.SPSSODescriptor{
			{AssertionConsumerServices: []saml.IndexedEndpoint{consumer}},
		},
	}, nil
}

const samlPage = `<!doctype html><title>Sign in</title><form method="post" action="{{.Action}}">
<input type="hidden" name="SAMLRequest" value="{{.Request}}"><input type="hidden" name="RelayState" value="{{.State}}">
<p><input name="user"><p><input name="password" type="password"><p><button type="submit">Sign in</button></form>`

// samlCookie is what this provider remembers a browser by.
const samlCookie = "saml-session"

func (p *SAMLIdP) signOut(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held, err := r.Cookie(samlCookie); err == nil {
		delete(p.sessions, held.Value)
	}
	back := r.URL.Query().Get("post_logout_redirect_uri")
	if back == "" || back != p.Return {
		http.Error(w, "this is no address to go back to", http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, back, http.StatusFound)
}

// GetSession returns who is signed in here, or shows the page and returns nil.
func (p *SAMLIdP) GetSession(w http.ResponseWriter, r *http.Request, req *saml.IdpAuthnRequest) *saml.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held, err := r.Cookie(samlCookie); err == nil && p.sessions[held.Value] != nil {
		return p.sessions[held.Value]
	}
	for _, someone := range people() {
		if r.PostFormValue("user") == someone.email && r.PostFormValue("password") == Password {
			id := rand.Text()
			p.sessions[id] = samlSession(id, someone)
			http.SetCookie(w, &http.Cookie{Name: samlCookie, Value: id, Path: "/", HttpOnly: true})
			return p.sessions[id]
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = p.page.Execute(w, map[string]string{
		"Action": p.SSO(), "State": req.RelayState,
		"Request": base64.StdEncoding.EncodeToString(req.RequestBuffer),
	})
	return nil
}

func samlSession(id string, someone person) *saml.Session {
	var groups []saml.AttributeValue
	if someone.email == Ada {
		groups = []saml.AttributeValue{{Type: "xs:string", Value: "staff"}, {Type: "xs:string", Value: "ops"}}
	}
	text := func(value string) []saml.AttributeValue {
		return []saml.AttributeValue{{Type: "xs:string", Value: value}}
	}
	return &saml.Session{
		ID: id, Index: id, CreateTime: time.Now(), ExpireTime: time.Now().Add(time.Hour),
		NameID: someone.email, NameIDFormat: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
		CustomAttributes: []saml.Attribute{
			{Name: "name", Values: text(someone.name)},
			{Name: "email", Values: text(someone.email)},
			{Name: "groups", Values: groups},
		},
	}
}

// selfSigned makes a key that signs documents, and a certificate that holds it.
func selfSigned(name string) (*rsa.PrivateKey, *x509.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, fmt.Errorf("stack: make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("stack: make a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("stack: make a certificate: %w", err)
	}
	return key, cert, nil
}
