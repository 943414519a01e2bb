package redirect

import "strings"

// maxDecodings bounds the work for one path. No gateway encodes a path more than
// three times, so a deeper one is refused.
const maxDecodings = 10

// refusePath judges the path in every form that something between the browser
// and the app may see: as it is, and decoded again and again until nothing is
// left to decode.
func (r *Rules) refusePath(addr address) *Refused {
	own := addr.scheme == "" || r.servesDoorward(addr.host)
	reading := addr.path
	for range maxDecodings {
		if refused := r.refuseReading(reading, own); refused != nil {
			return refused
		}
		decoded := decode(reading)
		if decoded == reading {
			return nil
		}
		reading = decoded
	}
	return errPath
}

// refuseReading judges one form of a path, with and without its repeated slashes
// merged. With own, Doorward's endpoints are refused.
func (r *Rules) refuseReading(path string, own bool) *Refused {
	if strings.ContainsFunc(path, isControl) || strings.Contains(path, `\`) {
		return errPath
	}
	for _, form := range []string{path, mergeSlashes(path)} {
		resolved, ok := resolve(form)
		if !ok || strings.HasPrefix(strings.ReplaceAll(resolved, " ", ""), "//") {
			return errPath
		}
		if own && r.isEndpoint(mergeSlashes(resolved)) {
			return errOwn
		}
	}
	return nil
}

// servesDoorward reports whether Doorward's own endpoints are on host. On other
// hosts of a cookie domain the same paths belong to the app.
func (r *Rules) servesDoorward(host string) bool {
	for _, site := range r.Sites {
		if matches(site.Host, host) {
			return true
		}
	}
	return false
}

// isEndpoint reports whether path is an endpoint that acts or answers a gateway.
// Those that only show something, as / and /userinfo, are good targets.
func (r *Rules) isEndpoint(path string) bool {
	rest, below := strings.CutPrefix(path, r.Prefix)
	if !below {
		return false
	}
	switch strings.TrimSuffix(rest, "/") {
	case "/start", "/callback", "/sign_out", "/denied", "/auth", "/backchannel_logout", "/frontchannel_logout":
		return true
	}
	return strings.HasPrefix(rest, "/auth/")
}

// resolve removes the dot segments of path (RFC 3986, 5.2.4). It reports false
// when they lead above the root. A segment counts as a dot segment also with
// parameters, since some servers drop them first: "..;x".
func resolve(path string) (string, bool) {
	if path == "" {
		return "/", true
	}
	segments := strings.Split(path[1:], "/")
	kept := make([]string, 0, len(segments))
	for i, segment := range segments {
		name, _, _ := strings.Cut(segment, ";")
		switch {
		case name == ".." && len(kept) == 0:
			return "", false
		case name == "..":
			kept = kept[:len(kept)-1]
		case name != ".":
			kept = append(kept, segment)
			continue
		}
		if i == len(segments)-1 {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/"), true
}

// decode decodes the escapes of s once and leaves malformed ones as they are.
func decode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := escaped(s[i:]); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escaped returns the byte that the escape at the beginning of s stands for.
func escaped(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, ok1 := hexDigit(s[1])
	low, ok2 := hexDigit(s[2])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

func isControl(c rune) bool { return c < 0x20 || c == 0x7f }
