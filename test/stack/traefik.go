package stack

import (
	"path/filepath"
	"strings"
)

// quiet keeps Traefik from calling home, and its log readable.
const quiet = `
global:
  checkNewVersion: false
  sendAnonymousUsage: false
log:
  level: DEBUG
`

// traefik puts deploy/traefik in place: the file provider and its static
// configuration.
func (f *Front) traefik() (Command, error) {
	binary, err := Tool("traefik")
	if err != nil {
		return Command{}, err
	}
	dynamic := filepath.Join(f.Dir, "dynamic.yaml")
	if err := f.render(string(f.Gateway), "dynamic.yaml", "", f.traefikReplacements()); err != nil {
		return Command{}, err
	}
	static := filepath.Join(f.Dir, "traefik.yaml")
	err = f.render("deploy/traefik/traefik.yaml", "traefik.yaml", strings.TrimPrefix(quiet, "\n"), [][2]string{
		{`":443"`, `"` + f.Listen + `"`},
		{"/etc/traefik/dynamic.yaml", dynamic},
	})
	return Command{Name: "traefik", Path: binary, Args: []string{"--configFile=" + static}}, err
}

func (f *Front) traefikReplacements() [][2]string {
	all := [][2]string{
		{"127.0.0.1:4180", f.Doorward},
		{"127.0.0.1:8080", f.App},
		{"Host(`app.example.com`)", "Host(`" + f.AppHost + "`)"},
		{"Host(`auth.example.com`)", "Host(`" + f.AuthHost + "`)"},
	}
	if f.CertFile == "" {
		return append(all, [][2]string{
			{"      tls: {}\n", ""},
			{"tls:\n  certificates:\n    - certFile: /etc/ssl/example.com.pem\n      keyFile: /etc/ssl/example.com.key\n", ""},
			{"__Secure-doorward", "doorward"},
		}...)
	}
	return append(all, [][2]string{
		{"/etc/ssl/example.com.pem", f.CertFile},
		{"/etc/ssl/example.com.key", f.KeyFile},
	}...)
}
