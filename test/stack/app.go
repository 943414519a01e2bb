package stack

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Seen is a request as it reached the app, and the app's answer to whoever asks
// for JSON.
type Seen struct {
	Method  string      `json:"method"`
	Host    string      `json:"host"`
	URI     string      `json:"uri"` // the request line's, byte for byte
	Headers http.Header `json:"headers"`
}

// App is what stands behind the gateway. It answers every path with the request
// that it saw, as a page or as JSON, and echoes what comes over a WebSocket.
type App struct {
	AuthURL string // origin of Doorward's pages, for the sign-out link
	AppURL  string // origin under which browsers know the app

	page   *template.Template
	server *http.Server
}

//go:embed app.html
var appPage string

// Start listens on the address.
func (a *App) Start(listen string) error {
	page, err := template.New("app").Parse(appPage)
	if err != nil {
		return fmt.Errorf("stack: app: %w", err)
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("stack: app: %w", err)
	}
	a.page = page
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = a.server.Serve(listener) }() // ends with Stop
	return nil
}

// Stop ends open connections, too.
func (a *App) Stop() error {
	if a.server == nil {
		return nil
	}
	return a.server.Close()
}

func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		echo(w, r)
		return
	}
	seen := Seen{Method: r.Method, Host: r.Host, URI: r.RequestURI, Headers: r.Header}
	// A page that needs a login must not come back from a cache after sign-out.
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-App", "reached") // also where there is no body to say so
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen) // the client has gone; nobody to tell
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = a.page.Execute(w, a.view(seen))
}

// view is what the page shows of a request.
func (a *App) view(seen Seen) any {
	type row struct {
		Name, Value string
		Identity    bool
	}
	var rows []row
	for name, values := range seen.Headers {
		for _, value := range values {
			rows = append(rows, row{name, value, strings.HasPrefix(name, "X-Auth-Request-")})
		}
	}
	sort.Slice(rows, func(i, j int) bool {
		if rows[i].Identity != rows[j].Identity {
			return rows[i].Identity
		}
		return rows[i].Name < rows[j].Name
	})
	return struct {
		Seen
		Rows            []row
		Email           string
		AuthURL, AppURL string
	}{seen, rows, seen.Headers.Get("X-Auth-Request-Email"), a.AuthURL, a.AppURL}
}

// echo sends every message back until the client leaves.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	for {
		ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
		kind, message, err := conn.Read(ctx)
		if err == nil {
			err = conn.Write(ctx, kind, message)
		}
		cancel()
		if err != nil {
			return
		}
	}
}
