package idptest

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Forge is a GitHub or a Gitea for tests, as far as logins see one: OAuth 2.0 with
// PKCE, and the parts of the API that tell about the user, with pages, limits and
// whatever else a test tells it to answer.
type Forge struct {
	ClientID     string
	ClientSecret string

	gitea  bool
	server *httptest.Server

	mu       sync.Mutex
	contents Contents
	codes    map[string]url.Values // the authorization request of each
	tokens   []string
	secrets  []string
	requests map[string]int
}

// Contents is what a Forge knows and how it answers.
type Contents struct {
	User   map[string]any
	Emails []map[string]any
	Orgs   []map[string]any
	Teams  []map[string]any

	// PageSize is how many entries a page has; 0 for what the client asks for.
	PageSize int

	// Handle replaces parts of the API by their path, such as /user/orgs, and the
	// token endpoint as /token.
	Handle map[string]http.Handler

	// Issuer is iss of the redirect back; "" leaves it out.
	Issuer string
}

// NewForge returns a GitHub Enterprise, or a Gitea, on the loopback interface.
func NewForge(gitea bool) *Forge {
	f := &Forge{
		ClientID: "client", ClientSecret: "forge secret", gitea: gitea,
		codes: map[string]url.Values{}, requests: map[string]int{},
		contents: Contents{
			User:   map[string]any{"id": 583231, "login": "ada", "name": "Ada Lovelace", "full_name": "Ada Lovelace", "email": "profile@example.org"},
			Emails: []map[string]any{forgeEmail("other@example.org", false, true), forgeEmail("ada@example.com", true, true)},
			Orgs:   []map[string]any{forgeOrg(gitea, "acme"), forgeOrg(gitea, "tools")},
			Teams:  []map[string]any{forgeTeam(gitea, "acme", "sre")},
			Handle: map[string]http.Handler{},
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login/oauth/authorize", f.authorize)
	mux.HandleFunc("/login/oauth/access_token", f.token)
	for path, list := range map[string]func() any{
		"/user":        func() any { return f.contents.User },
		"/user/emails": func() any { return f.contents.Emails },
		"/user/orgs":   func() any { return f.contents.Orgs },
		"/user/teams":  func() any { return f.contents.Teams },
	} {
		mux.HandleFunc(f.apiPath()+path, func(w http.ResponseWriter, r *http.Request) { f.api(w, r, path, list) })
	}
	f.server = httptest.NewServer(mux)
	return f
}

func forgeEmail(address string, primary, verified bool) map[string]any {
	return map[string]any{"email": address, "primary": primary, "verified": verified}
}

func forgeOrg(gitea bool, name string) map[string]any {
	if gitea {
		return map[string]any{"id": 7, "name": name, "username": name}
	}
	return map[string]any{"id": 7, "login": name}
}

func forgeTeam(gitea bool, org, slug string) map[string]any {
	return map[string]any{"id": 9, "name": map[bool]string{true: slug, false: "Team " + slug}[gitea], "slug": slug, "organization": forgeOrg(gitea, org)}
}

// Close stops the server.
func (f *Forge) Close() { f.server.Close() }

// URL is where browsers reach it.
func (f *Forge) URL() string { return f.server.URL }

// APIURL is where its API is.
func (f *Forge) APIURL() string { return f.server.URL + f.apiPath() }

func (f *Forge) apiPath() string {
	if f.gitea {
		return "/api/v1"
	}
	return "/api/v3"
}

// Set changes what it knows, from the next request on.
func (f *Forge) Set(change func(*Contents)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.contents)
}

// Requests is how often a path below the API, or /token, was asked.
func (f *Forge) Requests(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[path]
}

// Secrets are those that it issued or received, as Provider.Secrets.
func (f *Forge) Secrets() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Concat([]string{f.ClientSecret}, f.secrets, f.tokens)
}

func (f *Forge) authorize(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	request := r.URL.Query()
	f.secrets = appendNonEmpty(f.secrets, request.Get("state"))
	back, err := url.Parse(request.Get("redirect_uri"))
	if err != nil || request.Get("client_id") != f.ClientID || request.Get("response_type") != "code" || request.Get("state") == "" ||
		request.Get("code_challenge_method") != "S256" || len(request.Get("code_challenge")) != 43 || request.Has("nonce") {
		http.Error(w, "not a good request", http.StatusBadRequest)
		return
	}
	code := "code-" + rand.Text()
	f.codes[code] = request
	f.secrets = append(f.secrets, code)
	query := url.Values{"code": {code}, "state": {request.Get("state")}}
	if f.contents.Issuer != "" {
		query.Set("iss", f.contents.Issuer)
	}
	back.RawQuery = query.Encode()
	w.Header().Set("Location", back.String())
	w.WriteHeader(http.StatusFound)
}

// token answers errors with status 200, and with words of its own, as GitHub does.
func (f *Forge) token(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	handler := f.contents.Handle["/token"]
	f.requests["/token"]++
	f.mu.Unlock()
	if handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.ParseForm() != nil || r.Header.Get("Accept") != "application/json" || r.PostForm.Get("client_id") != f.ClientID ||
		r.PostForm.Get("client_secret") != f.ClientSecret || r.Header.Get("Authorization") != "" {
		writeJSON(w, http.StatusOK, map[string]any{"error": "incorrect_client_credentials"})
		return
	}
	f.secrets = appendNonEmpty(f.secrets, r.PostForm.Get("code_verifier"))
	request, known := f.codes[r.PostForm.Get("code")]
	delete(f.codes, r.PostForm.Get("code"))
	if !known || challenge(r.PostForm.Get("code_verifier")) != request.Get("code_challenge") || r.PostForm.Get("redirect_uri") != request.Get("redirect_uri") {
		writeJSON(w, http.StatusOK, map[string]any{"error": "bad_verification_code"})
		return
	}
	token := "gho_" + rand.Text()
	f.tokens = append(f.tokens, token)
	writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "bearer", "scope": strings.ReplaceAll(request.Get("scope"), " ", ",")})
}

func (f *Forge) api(w http.ResponseWriter, r *http.Request, path string, read func() any) {
	f.mu.Lock()
	f.requests[path]++
	handler := f.contents.Handle[path]
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	known := slices.Contains(f.tokens, token)
	f.mu.Unlock()
	switch {
	case !known:
		writeJSON(w, http.StatusUnauthorized, map[string]any{"message": "Bad credentials"})
	case handler != nil:
		handler.ServeHTTP(w, r)
	default:
		f.mu.Lock()
		defer f.mu.Unlock()
		if list, ok := read().([]map[string]any); ok {
			f.page(w, r, list)
			return
		}
		writeJSON(w, http.StatusOK, maps.Clone(f.contents.User))
	}
}

// page answers with one page of a list, and says in Link where the next one is.
func (f *Forge) page(w http.ResponseWriter, r *http.Request, list []map[string]any) {
	query := r.URL.Query()
	size, page := f.contents.PageSize, max(1, number(query.Get("page")))
	if size == 0 {
		size = max(1, number(query.Get("per_page"))+number(query.Get("limit")))
	}
	first := min((page-1)*size, len(list))
	last := min(first+size, len(list))
	if last < len(list) {
		query.Set("page", strconv.Itoa(page+1))
		next := fmt.Sprintf("%s%s?%s", f.server.URL, r.URL.Path, query.Encode())
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="first", <%s>; rel="next"`, f.server.URL+r.URL.Path, next))
	}
	writeJSON(w, http.StatusOK, append([]map[string]any{}, list[first:last]...))
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}
