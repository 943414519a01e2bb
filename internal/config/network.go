package config

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Listener is an address to listen on, as net.Listen takes it.
type Listener struct {
	Network string // "tcp" or "unix"
	Address string // "host:port" or the path of a socket
}

func (l Listener) String() string {
	if l.Network == "unix" {
		return "unix:" + l.Address
	}
	return l.Address
}

func (r *reader) listener(name, text string) Listener {
	text = r.plain(name, text)
	if path, socket := strings.CutPrefix(text, "unix:"); socket {
		if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
			r.mistake(name, "has to name a socket by its whole path, as unix:/run/doorward.sock")
		}
		return Listener{"unix", path}
	}
	host, port, err := net.SplitHostPort(text)
	n, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		r.mistake(name, "is no address to listen on; write for example :4180, 127.0.0.1:4180 or unix:/run/doorward.sock")
	case portErr != nil || strconv.FormatUint(n, 10) != port:
		r.mistake(name, "has a port that is not a number from 0 to 65535")
	case host != "" && !isAddress(host) && !isHostName(strings.ToLower(host)):
		r.mistake(name, "has a host that is neither an IP address nor a name")
	}
	return Listener{"tcp", text}
}

// listeners reads both. Port 0 is a port of its own each time.
func (r *reader) listeners(s *spec) (listen, admin Listener) {
	const name = "DOORWARD_ADMIN_LISTEN"
	listen = r.listener("DOORWARD_LISTEN", s.Listen)
	admin = r.listener(name, s.AdminListen)
	if listen == admin && !strings.HasSuffix(admin.Address, ":0") {
		r.mistake(name, "is the same as DOORWARD_LISTEN; health and metrics need an address of their own")
	}
	return listen, admin
}

// proxies reads the networks of the gateways. Without any, nothing but the
// permissions of a socket could tell a gateway from anybody else.
func (r *reader) proxies(text string, listen Listener) []netip.Prefix {
	const name = "DOORWARD_TRUSTED_PROXIES"
	if setToNothing(name) {
		if listen.Network != "unix" {
			r.mistake(name, "is empty, so that no gateway would be believed; name the networks of the gateways, or unset it for loopback and private ranges")
		}
		return nil
	}
	var prefixes []netip.Prefix
	for i, entry := range r.list(name, text) {
		prefix, ok := parsePrefix(entry)
		if !ok {
			r.mistake(name, "entry %d is neither a network nor an address; write for example 10.0.0.0/8 or 192.0.2.7", i+1)
			continue
		}
		if prefix.Bits() == 0 {
			r.warn(name, "entry %d is every address there is: whoever reaches Doorward can pretend to be a gateway", i+1)
		}
		if !slices.Contains(prefixes, prefix) {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// parsePrefix accepts a network, also with host bits set, and a bare address.
func parsePrefix(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return prefix.Masked(), true
}
