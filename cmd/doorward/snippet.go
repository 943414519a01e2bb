package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/deploy"
	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/gateway"
)

// snippetFlags are the flags of `doorward snippet`.
type snippetFlags struct {
	hosts    []string
	upstream string
	doorward string
}

// newSnippet returns the command that prints the files of a gateway, filled in
// from the configuration.
func newSnippet() *cobra.Command {
	var flags snippetFlags
	names := strings.Join(deploy.Gateways(), "|")
	cmd := &cobra.Command{
		Use:   "snippet " + names,
		Short: "Print what a gateway needs, filled in from the configuration",
		Long: "Prints the files of deploy/ with which a gateway asks Doorward, filled in from the\n" +
			"DOORWARD_* variables, ready to paste. Certificates are left for you to fill in.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("snippet: name one gateway: %s", names)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, warnings, err := config.Load()
			printWarnings(cmd.ErrOrStderr(), warnings)
			if err != nil {
				return err
			}
			values, err := flags.values(cfg, args[0])
			if err != nil {
				return err
			}
			files, err := values.Files(args[0])
			if err != nil {
				return err
			}
			return writeFiles(cmd.OutOrStdout(), files, deploy.Kubernetes(args[0]))
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&flags.hosts, "host", nil, "host of an app, as app.example.com; may be repeated")
	f.StringVar(&flags.upstream, "upstream", "", "where the app is, as 127.0.0.1:8080; for Kubernetes its service and port, as app:80")
	f.StringVar(&flags.doorward, "doorward", "", "where the gateway reaches Doorward, as 127.0.0.1:4180; default from DOORWARD_LISTEN, for Kubernetes the Service of deploy/ingress-nginx")
	return cmd
}

// values are what the files are filled in with.
func (f *snippetFlags) values(cfg *config.Config, name string) (deploy.Values, error) {
	hosts, site, err := f.site(cfg)
	if err != nil {
		return deploy.Values{}, err
	}
	v := deploy.Values{
		Hosts: hosts, SignInHost: site.Host, PublicURL: site.Origin(), CookieDomain: site.CookieDomain,
		Cookie: sessionCookie(cfg.CookieName, site), Prefix: cfg.PathPrefix, Identity: identityHeaders(cfg),
		Doorward: f.doorward, GRPC: near(cfg.GRPC.Listen), Upstream: f.upstream,
	}
	if v.Doorward == "" && !deploy.Kubernetes(name) {
		v.Doorward = near(cfg.Listen)
	}
	if name == "envoy-grpc" && v.GRPC == "" {
		return deploy.Values{}, errors.New("snippet: Doorward does not listen for gRPC; set DOORWARD_GRPC_LISTEN")
	}
	for flag, address := range map[string]string{"--doorward": v.Doorward, "--upstream": v.Upstream} {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "" && !strings.HasPrefix(address, "unix:/") {
			return deploy.Values{}, fmt.Errorf("snippet: %s has to be a host and a port, as 127.0.0.1:8080", flag)
		}
	}
	return v, nil
}

// site is where people of all the hosts sign in. It has to be one place, and a
// host of its own: that is what the files are made for.
func (f *snippetFlags) site(cfg *config.Config) (hosts []string, site auth.Site, err error) {
	if len(f.hosts) == 0 {
		return nil, site, errors.New("snippet: --host is missing; name the host of an app, for example --host app.example.com")
	}
	for i, text := range f.hosts {
		host, ok := gateway.CanonicalHost(text)
		if !ok {
			return nil, site, fmt.Errorf("snippet: --host %q is no host name; write it without scheme, port and path", text)
		}
		its, ok := sites(cfg).For(host)
		switch {
		case !ok:
			return nil, site, fmt.Errorf("snippet: %s is in none of the hosts that Doorward decides about (%s); add its domain to DOORWARD_COOKIE_DOMAINS, with a public URL in it, or correct --host",
				host, strings.Join(cfg.Hosts(), ", "))
		case its.Scheme != "https":
			return nil, site, errors.New("snippet: the files are for https, and DOORWARD_PUBLIC_URL is http; for a look at localhost there is `make demo`")
		case its.Host == host:
			return nil, site, fmt.Errorf("snippet: %s is where people sign in, and the files give that a host of its own; choose one for DOORWARD_PUBLIC_URL, for example https://auth.%s, and set DOORWARD_COOKIE_DOMAINS", host, host)
		case i > 0 && its != site:
			return nil, site, fmt.Errorf("snippet: people of %s sign in at %s, and those of %s at %s; ask for them one by one", hosts[0], site.Host, host, its.Host)
		}
		hosts, site = append(hosts, host), its
	}
	return hosts, site, nil
}

// near is the address at which a gateway on the same machine reaches a listener;
// "" for none.
func near(l config.Listener) string {
	if l.Network != "tcp" {
		return strings.TrimSuffix(l.String(), ":")
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return l.Address
	}
	switch host {
	case "", "0.0.0.0", "::":
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// writeFiles writes one file after the other, each below a comment with its name
// when there are several.
func writeFiles(w io.Writer, files []deploy.File, kubernetes bool) error {
	for i, file := range files {
		header := ""
		switch {
		case len(files) == 1:
		case strings.HasSuffix(file.Name, ".lua"):
			header = "-- ==== " + file.Name + " ====\n"
		default:
			header = "# ==== " + file.Name + " ====\n"
		}
		if i > 0 {
			separator := "\n"
			if kubernetes {
				separator = "---\n"
			}
			header = separator + header
		}
		if _, err := io.WriteString(w, header+file.Text); err != nil {
			return err
		}
	}
	return nil
}

// identityHeaders are the names of the headers that every allow carries.
func identityHeaders(cfg *config.Config) []string {
	var names []string
	for _, header := range renderer(cfg).Render(auth.User{}, auth.Tokens{}).Headers {
		names = append(names, header.Name)
	}
	return names
}
