package stack

import (
	"encoding/base64"
	"errors"
	"net"
	"os"
	"path/filepath"
)

// serviceURL is Doorward's address inside a cluster.
const serviceURL = "doorward.doorward.svc.cluster.local:4180"

// traefikIngress serves deploy/traefik/ingress-nginx-provider.yaml to Traefik's
// provider for the annotations of ingress-nginx.
func (f *Front) traefikIngress() (Command, error) {
	return f.traefikFrom("kubernetesingressnginx", [][2]string{
		{serviceURL, f.Doorward},
		{"https://auth.example.com/start", f.AuthURL + "/start"},
		{"[app.example.com]", "[" + f.AppHost + "]"},
		{"[auth.example.com]", "[" + f.AuthHost + "]"},
		{"host: app.example.com", "host: " + f.AppHost},
		{"host: auth.example.com", "host: " + f.AuthHost},
	})
}

// traefikKubernetes serves deploy/traefik/kubernetes.yaml to Traefik's provider
// for its own resources.
func (f *Front) traefikKubernetes() (Command, error) {
	return f.traefikFrom("kubernetescrd", [][2]string{
		{serviceURL, f.Doorward},
		{"Host(`app.example.com`)", "Host(`" + f.AppHost + "`)"},
		{"Host(`auth.example.com`)", "Host(`" + f.AuthHost + "`)"},
	})
}

// traefikFrom runs Traefik on a cluster that holds the gateway's manifests. It
// speaks TLS only: that is what they say.
func (f *Front) traefikFrom(provider string, pairs [][2]string) (Command, error) {
	if f.CertFile == "" {
		return Command{}, errors.New("the manifests need TLS")
	}
	binary, err := Tool("traefik")
	if err != nil {
		return Command{}, err
	}
	err = errors.Join(f.render(string(f.Gateway), "manifests.yaml", "", pairs), f.cluster())
	if err != nil {
		return Command{}, err
	}
	if f.kubernetes != nil { // Start again
		if err := f.kubernetes.stop(); err != nil {
			return Command{}, err
		}
	}
	f.kubernetes, err = newKubernetes(filepath.Join(f.Dir, "kubernetes.log"),
		filepath.Join(f.Dir, "cluster.yaml"), filepath.Join(f.Dir, "manifests.yaml"))
	if err != nil {
		return Command{}, err
	}
	return Command{Name: "traefik", Path: binary, Args: []string{
		"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=DEBUG",
		"--entrypoints.websecure.address=" + f.Listen,
		"--entrypoints.websecure.http.encodequerysemicolons=true",
		"--entrypoints.websecure.http.aliasheadersstrategy=delete",
		"--providers." + provider + ".endpoint=" + f.kubernetes.url,
		"--providers." + provider + ".token=none",
	}}, nil
}

// cluster writes what the cluster holds besides the manifests.
func (f *Front) cluster() error {
	certificate, err := os.ReadFile(f.CertFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(f.KeyFile)
	if err != nil {
		return err
	}
	_, app, err := net.SplitHostPort(f.App)
	if err != nil {
		return err
	}
	_, doorward, err := net.SplitHostPort(f.Doorward)
	if err != nil {
		return err
	}
	return f.render("test/stack/testdata/cluster.yaml", "cluster.yaml", "", [][2]string{
		{"{name: http, port: 8080,", "{name: http, port: " + app + ","},
		{"{name: http, port: 4180, protocol", "{name: http, port: " + doorward + ", protocol"},
		{"CERTIFICATE", base64.StdEncoding.EncodeToString(certificate)},
		{"KEY", base64.StdEncoding.EncodeToString(key)},
	})
}
