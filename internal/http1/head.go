package http1

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/url"
	"strings"
)

// Bounds of a plain request.
const (
	maxHead   = 16 << 10
	maxFields = 64
)

// field is where a header stands in a head.
type field struct{ name, colon, value, end int }

// head reads the heads of plain requests. It is of one connection, and uses its
// room again for the next request.
type head struct {
	peer string // the other end, for Request.RemoteAddr

	method, target, headers int // where these end, end, and begin
	fields                  []field

	address string   // the target before, which most requests share
	url     *url.URL // and what it says
}

// complete returns the length of the head that text begins with, up to and with
// its empty line, or 0 when that is not there yet. Nothing before looked ends it.
// Lines that end in LF alone count: they are not plain, but they do end.
func complete(text []byte, looked int) int {
	from := max(0, looked-len("\n\r"))
	for _, empty := range [...]string{"\n\r\n", "\n\n"} {
		if end := bytes.Index(text[from:], []byte(empty)); end >= 0 {
			return from + end + len(empty)
		}
	}
	return 0
}

// read returns the request of a complete head, and reports whether it is plain:
// then net/http would read the same. Of text only the case of letters changes, in
// the names of headers. What a request has is its own, and never changes again.
func (h *head) read(text []byte) (*http.Request, bool) {
	if !h.findLine(text) || !h.findHeaders(text) {
		return nil, false
	}
	for _, f := range h.fields {
		canonicalize(text[f.name:f.colon])
	}
	whole := string(text) // all texts are parts of this one copy
	if target := whole[h.method+1 : h.target]; target != h.address {
		parsed, err := url.ParseRequestURI(target)
		if err != nil {
			return nil, false
		}
		h.address, h.url = strings.Clone(target), parsed
	}
	r := &http.Request{
		Method: whole[:h.method], URL: h.url, RequestURI: h.address, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
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

// findLine finds the parts of the request line.
func (h *head) findLine(text []byte) bool {
	end := bytes.IndexByte(text, '\n')
	h.method = bytes.IndexByte(text[:end], ' ')
	if h.method < 0 || !isToken(text[:h.method]) {
		return false
	}
	rest := text[h.method+1 : end]
	space := bytes.IndexByte(rest, ' ')
	if space <= 0 || rest[0] != '/' || !isPrintable(rest[:space]) {
		return false
	}
	h.target, h.headers = h.method+1+space, end+1
	return string(rest[space:]) == " HTTP/1.1\r"
}

// findHeaders finds the names and the values of the headers.
func (h *head) findHeaders(text []byte) bool {
	h.fields = h.fields[:0]
	for at := h.headers; ; {
		end := at + bytes.IndexByte(text[at:], '\n')
		if end == at || text[end-1] != '\r' {
			return false
		}
		if end == at+1 {
			return end+1 == len(text)
		}
		f, ok := findHeader(text[at : end-1])
		if !ok || len(h.fields) == maxFields {
			return false
		}
		h.fields = append(h.fields, field{at + f.name, at + f.colon, at + f.value, at + f.end})
		at = end + 1
	}
}

// findHeader finds the name of a header and its value, without the spaces around
// it, in a line.
func findHeader(line []byte) (field, bool) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !isToken(line[:colon]) || !isPrintable(line[colon+1:]) {
		return field{}, false
	}
	f := field{0, colon, colon + 1, len(line)}
	for f.value < f.end && line[f.value] == ' ' {
		f.value++
	}
	for f.value < f.end && line[f.end-1] == ' ' {
		f.end--
	}
	return f, true
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
