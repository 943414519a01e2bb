package http1

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is an http.ResponseWriter that keeps an answer until it is sent as a
// whole. It is of one connection, and uses its room again for the next answer.
type answer struct {
	header http.Header
	status int
	body   []byte
	toHEAD bool // what is answered has no body, whatever the handler writes

	room   []byte
	date   []byte
	second int64 // of date, since 1970
}

// begin makes room for the answer to r.
func (a *answer) begin(r *http.Request) {
	clear(a.header)
	a.status, a.body, a.toHEAD = 0, a.body[:0], r.Method == http.MethodHead
}

// next gives back the room of a large answer.
func (a *answer) next() {
	if max(cap(a.room), cap(a.body)) > usualRoom {
		a.room, a.body = nil, nil
	}
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if !a.hasBody() {
		return 0, http.ErrBodyNotAllowed
	}
	a.body = append(a.body, p...)
	return len(p), nil
}

// hasBody reports whether the status allows a body (RFC 9110 section 6.4.1).
func (a *answer) hasBody() bool {
	return a.status != http.StatusNoContent && a.status != http.StatusNotModified
}

// closes reports whether the handler wants the connection to end.
func (a *answer) closes() bool {
	values := a.header["Connection"]
	return len(values) == 1 && strings.EqualFold(values[0], "close")
}

// bytes is the answer as it is sent. One that the handler forgot is an error of
// ours and not the 200 that net/http makes of it (SECURITY.md HTTP-4).
func (a *answer) bytes(closes bool, now time.Time) []byte {
	a.WriteHeader(http.StatusInternalServerError)
	if len(a.body) > 0 && a.header["Content-Type"] == nil {
		a.header["Content-Type"] = []string{http.DetectContentType(a.body)}
	}
	out := a.room[:0]
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(a.status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(a.status)...)
	out = append(out, "\r\n"...)
	for name, values := range a.header {
		if name == "Content-Length" || name == "Connection" && closes {
			continue
		}
		for _, value := range values {
			out = line(out, name, value)
		}
	}
	if a.hasBody() && (!a.toHEAD || len(a.body) > 0) {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, int64(len(a.body)), 10)
		out = append(out, "\r\n"...)
	}
	if closes {
		out = line(out, "Connection", "close")
	}
	out = append(out, "Date: "...)
	out = append(out, a.dated(now)...)
	out = append(out, "\r\n\r\n"...)
	if !a.toHEAD {
		out = append(out, a.body...)
	}
	a.room = out
	return out
}

// line appends a header. What would end its line becomes a space, as in net/http.
func line(out []byte, name, value string) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	out = append(out, value...)
	return append(out, "\r\n"...)
}

// dated is now as in the Date header. It is written once in a second.
func (a *answer) dated(now time.Time) []byte {
	if second := now.Unix(); second != a.second || len(a.date) == 0 {
		a.second, a.date = second, now.UTC().AppendFormat(a.date[:0], http.TimeFormat)
	}
	return a.date
}
