package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses whose description of a request is believed.
type Proxies []netip.Prefix

// Trust reports whether a peer may describe a request. Whoever reaches a unix
// socket may: the file's permissions have decided it.
func (p Proxies) Trust(remoteAddr string) bool {
	if remoteAddr == "" || remoteAddr == "@" || strings.HasPrefix(remoteAddr, "/") {
		return true
	}
	peer, err := netip.ParseAddrPort(remoteAddr)
	return err == nil && p.contain(peer.Addr())
}

func (p Proxies) contain(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// ClientOf returns the address of the browser behind a request to one of our own
// pages: what a trusted proxy says, and the peer itself otherwise. The zero Addr
// means that it is not known.
func (p Proxies) ClientOf(r *http.Request) netip.Addr {
	if p.Trust(r.RemoteAddr) && len(r.Header[forwardedFor]) > 0 {
		return p.client(r.Header[forwardedFor])
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr().Unmap()
}

// client returns the rightmost address of X-Forwarded-For that is not a trusted
// proxy. Where there is one entry only it is the client's, trusted or not: people
// at home have addresses like their proxies'. Among several of that kind nobody
// can tell which a proxy wrote and which the client, and then it is unknown, as it
// is with an entry that is no address.
func (p Proxies) client(lines []string) netip.Addr {
	var client netip.Addr
	entries := 0
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i]
		for more := true; more; {
			comma := strings.LastIndexByte(rest, ',')
			entry := rest[comma+1:]
			more, rest = comma >= 0, rest[:max(comma, 0)]
			addr, err := netip.ParseAddr(strings.Trim(entry, " \t"))
			if err != nil {
				return netip.Addr{}
			}
			client = addr.Unmap()
			entries++
			if !p.contain(client) {
				return client
			}
		}
	}
	if entries > 1 {
		return netip.Addr{}
	}
	return client
}
