package http1

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxFields    = 64      // headers of a plain request
	usualAddress = 1 << 10 // a target that is worth remembering
)

// state is what is known of a request.
type state int

const (
	unfinished state = iota
	plain            // and complete
	odd              // it is for net/http
	gone             // it will not come
)

// field is where a header stands in a head.
type field struct{ name, colon, value, end int }

// head reads the heads of requests, line by line as they come. It is of one
// connection, and uses its room again for the next request.
type head struct {
	peer string // the other end, for Request.RemoteAddr

	at             int // where the next line begins
	method, target int // where these end
	fields         []field

	address string   // the target before, which most requests share
	url     *url.URL // and what it says
}

// next begins anew.
func (h *head) next() {
	h.at, h.fields = 0, h.fields[:0]
	if len(h.address) > usualAddress {
		h.address, h.url = "", nil
	}
}

// take reads the lines of text that are complete and were not taken yet. It is
// plain when the last is the empty line at the end of a head, and odd at the first
// line that a plain one cannot have.
func (h *head) take(text []byte) state {
	for {
		length := bytes.IndexByte(text[h.at:], '\n')
		if length < 0 {
			return unfinished
		}
		line, ended := bytes.CutSuffix(text[h.at:h.at+length], []byte("\r"))
		begin := h.at
		h.at += length + 1
		switch {
		case !ended:
			return odd
		case begin == 0:
			if !h.takeFirst(line) {
				return odd
			}
		case len(line) == 0:
			return plain
		case !h.takeField(line, begin):
			return odd
		}
	}
}

// takeFirst finds the parts of the request line.
func (h *head) takeFirst(line []byte) bool {
	h.method = bytes.IndexByte(line, ' ')
	if h.method < 0 || !isToken(line[:h.method]) {
		return false
	}
	target, version, _ := bytes.Cut(line[h.method+1:], []byte(" "))
	h.target = h.method + 1 + len(target)
	return len(target) > 0 && target[0] == '/' && isPrintable(target) && string(version) == "HTTP/1.1"
}

// takeField finds the name of a header and its value, without the spaces around
// it, in the line that begins there.
func (h *head) takeField(line []byte, begin int) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !isToken(line[:colon]) || !isPrintable(line[colon+1:]) || len(h.fields) == maxFields {
		return false
	}
	value, end := colon+1, len(line)
	for value < end && line[value] == ' ' {
		value++
	}
	for value < end && line[end-1] == ' ' {
		end--
	}
	h.fields = append(h.fields, field{begin, begin + colon, begin + value, begin + end})
	return true
}

// request is what the head that text begins with asks, once it is plain. It
// reports false where what it says of its connection or of a body is not. Then
// text is good for net/http still: only the case of letters has changed, in the
// names of headers. What a request has is its own, and never changes again.
func (h *head) request(text []byte) (*http.Request, bool) {
	for _, f := range h.fields {
		canonicalize(text[f.name:f.colon])
	}
	whole := string(text[:h.at]) // all texts are parts of this one copy
	if target := whole[h.method+1 : h.target]; target != h.address {
		address := strings.Clone(target)
		parsed, err := url.ParseRequestURI(address)
		if err != nil {
			return nil, false
		}
		h.address, h.url = address, parsed
	}
	address := *h.url
	r := &http.Request{
		Method: whole[:h.method], URL: &address, RequestURI: h.address, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.header(whole), Body: http.NoBody, RemoteAddr: h.peer,
	}
	return r, finish(r)
}

// header are the fields of a head, by name.
func (h *head) header(whole string) http.Header {
	header := make(http.Header, len(h.fields))
	values := make([]string, len(h.fields))
	for i, f := range h.fields {
		name, value := whole[f.name:f.colon], whole[f.value:f.end]
		if there := header[name]; there != nil {
			header[name] = append(there, value)
			continue
		}
		values[i] = value
		header[name] = values[i : i+1 : i+1]
	}
	return header
}

// finish takes out of the headers what net/http does, and reports whether they say
// nothing of the connection and of a body but the ordinary.
func finish(r *http.Request) bool {
	host := r.Header["Host"]
	if len(host) != 1 || !isHost(host[0]) || r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return false
	}
	r.Host = host[0]
	delete(r.Header, "Host")
	if connection := r.Header["Connection"]; connection != nil {
		r.Close = strings.EqualFold(connection[0], "close")
		if len(connection) > 1 || !r.Close && !strings.EqualFold(connection[0], "keep-alive") {
			return false
		}
	}
	if length := r.Header["Content-Length"]; length != nil && (len(length) > 1 || length[0] != "0") {
		return false
	}
	for _, name := range [...]string{"Transfer-Encoding", "Trailer", "Expect"} {
		if r.Header[name] != nil {
			return false
		}
	}
	return r.Header["Pragma"] == nil || r.Header["Cache-Control"] != nil // net/http would make one of the other
}

// canonicalize writes the name of a header as net/http has it: X-Original-Url.
func canonicalize(name []byte) {
	upper := true
	for i, c := range name {
		switch {
		case upper && 'a' <= c && c <= 'z':
			name[i] = c - ('a' - 'A')
		case !upper && 'A' <= c && c <= 'Z':
			name[i] = c + ('a' - 'A')
		}
		upper = c == '-'
	}
}

// The bytes of a token (RFC 9110 section 5.6.2), a bit for each.
const (
	alphanumeric = (1<<10-1)<<'0' | (1<<26-1)<<'A' | (1<<26-1)<<'a'
	marks        = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' |
		1<<'-' | 1<<'.' | 1<<'^' | 1<<'_' | 1<<'`' | 1<<'|' | 1<<'~'
	lowTokens  uint64 = (alphanumeric | marks) & (1<<64 - 1)
	highTokens uint64 = (alphanumeric | marks) >> 64
)

func isToken(text []byte) bool {
	for _, c := range text {
		if (lowTokens>>c|highTokens>>(c-64))&1 == 0 { // a shift by more than there is leaves nothing
			return false
		}
	}
	return len(text) > 0
}

// isPrintable reports whether all bytes are printable ASCII, or spaces. It looks
// at eight at a time: a byte below a space makes the difference borrow, DEL makes
// the sum carry, and one beyond ASCII has its highest bit already.
func isPrintable(text []byte) bool {
	const each, space, highest = 0x0101010101010101, 0x2020202020202020, 0x8080808080808080
	var odd uint64
	for ; len(text) >= 8; text = text[8:] {
		eight := binary.LittleEndian.Uint64(text)
		odd |= eight | (eight - space) | (eight + each)
	}
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return odd&highest == 0
}

// isHost reports whether a Host header has only what host names, addresses and
// ports are made of.
func isHost(host string) bool {
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return host != ""
}
