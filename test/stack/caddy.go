package stack

import (
	"net"
	"path/filepath"
)

// caddy puts the Caddyfile in place. The options before it keep Caddy from
// listening anywhere else and from asking for certificates.
func (f *Front) caddy() (Command, error) {
	binary, err := Tool("caddy")
	if err != nil {
		return Command{}, err
	}
	options := "{\n\tadmin off\n\tpersist_config off\n\tauto_https disable_redirects\n\tdebug\n" +
		"\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n"
	config := filepath.Join(f.Dir, "Caddyfile")
	return Command{
		Name: "caddy", Path: binary,
		Args: []string{"run", "--adapter", "caddyfile", "--config", config},
		Env:  map[string]string{"HOME": f.Dir, "XDG_DATA_HOME": f.Dir, "XDG_CONFIG_HOME": f.Dir},
	}, f.render(string(f.Gateway), "Caddyfile", options, f.caddyReplacements())
}

func (f *Front) caddyReplacements() [][2]string {
	_, port, _ := net.SplitHostPort(f.Listen) // it is ours, and has one
	scheme, certificate := "http", ""
	if f.CertFile != "" {
		scheme, certificate = "https", "\n\ttls "+f.CertFile+" "+f.KeyFile
	}
	site := func(host string) string {
		return scheme + "://" + host + ":" + port + " {\n\tbind 127.0.0.1" + certificate
	}
	return [][2]string{
		{"127.0.0.1:4180", f.Doorward},
		{"127.0.0.1:8080", f.App},
		{"auth.example.com {", site(f.AuthHost)},
		{"app.example.com {", site(f.AppHost)},
	}
}
