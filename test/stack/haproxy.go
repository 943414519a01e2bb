package stack

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// haproxy puts the configuration and the script in place.
func (f *Front) haproxy() (Command, error) {
	binary, err := exec.LookPath("haproxy")
	if err != nil {
		binary = "/usr/sbin/haproxy" // not on everybody's PATH
	}
	config := filepath.Join(f.Dir, "haproxy.cfg")
	err = errors.Join(
		f.pem(),
		f.render("deploy/haproxy/doorward.lua", "doorward.lua", "", nil),
		f.render(string(f.Gateway), "haproxy.cfg", "", f.haproxyReplacements()),
	)
	return Command{Name: "haproxy", Path: binary, Args: []string{"-db", "-f", config}}, err
}

func (f *Front) haproxyReplacements() [][2]string {
	all := [][2]string{
		{"/etc/haproxy/doorward.lua", filepath.Join(f.Dir, "doorward.lua")},
		{"127.0.0.1:4180", f.Doorward},
		{"127.0.0.1:8080", f.App},
		{"host_only -i app.example.com", "host_only -i " + f.AppHost},
		{"host_only -i auth.example.com", "host_only -i " + f.AuthHost},
	}
	if f.CertFile == "" {
		return append(all, [2]string{"bind :443 ssl crt /etc/ssl/example.com.pem alpn h2,http/1.1", "bind " + f.Listen})
	}
	return append(all, [2]string{"bind :443 ssl crt /etc/ssl/example.com.pem", "bind " + f.Listen + " ssl crt " + f.pemFile()})
}

// pemFile holds the certificate and its key, as HAProxy wants them.
func (f *Front) pemFile() string { return filepath.Join(f.Dir, "haproxy.pem") }

func (f *Front) pem() error {
	if f.CertFile == "" {
		return nil
	}
	certificate, err := os.ReadFile(f.CertFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(f.KeyFile)
	if err != nil {
		return err
	}
	return os.WriteFile(f.pemFile(), append(certificate, key...), 0o600)
}
